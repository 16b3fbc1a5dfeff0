// A page's stream of server-sent events. It is closed while nobody sees the page: a browser
// has few connections to a server, and the server few streams.

// status shows how the stream is, in an element that is read out when it changes.
export function status(element, state, text) {
	if (!element || (element.dataset.state === state && element.textContent === text)) return;
	element.dataset.state = state;
	element.textContent = text;
}

// connect calls handlers, by the events' names, with their data, until the returned function
// is called. say is told how it is: 'on', 'waiting' or 'broken', and in words.
export function connect(url, handlers, say) {
	let source = null;
	let over = false;

	const close = () => {
		source?.close();
		source = null;
	};
	const end = (state, text) => {
		over = true;
		close();
		say(state, text);
	};
	const again = (text) => {
		close();
		say('broken', text);
		setTimeout(open, 5000);
	};
	const listen = (name, handle) => source.addEventListener(name, (event) => handle(JSON.parse(event.data)));

	const open = () => {
		if (over || source || document.hidden) return;
		say('waiting', 'Connecting …');
		source = new EventSource(url);
		for (const [name, handle] of Object.entries(handlers)) listen(name, handle);
		listen('ready', () => {
			say('on', 'Live');
			handlers.open?.();
		});
		listen('signed-out', () => end('broken', 'You are not signed in any more. Load the page again to sign in.'));
		listen('ended', () => again('The stream has ended. Trying again …'));
		listen('failed', (why) => {
			if (why.temporary) again(`${why.message} Trying again …`);
			else end('broken', why.denied ? `Access denied: live values need ${why.actions}.` : `${why.name}: ${why.message}`);
		});
		source.onerror = () => {
			if (source?.readyState === EventSource.CLOSED) {
				close();
				say('broken', 'The server does not answer, or you are not signed in any more. Trying again …');
				setTimeout(open, 10000);
			} else {
				say('broken', 'The connection is lost; what is shown is old. Is the server running? Trying again …');
			}
		};
	};

	const seen = () => (document.hidden ? close() : open());
	document.addEventListener('visibilitychange', seen);
	open();
	return () => {
		over = true;
		close();
		document.removeEventListener('visibilitychange', seen);
	};
}
