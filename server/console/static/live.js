// Live values: plots, numbers, and parts of the page that are loaded again when something has
// changed.
import { showValue } from './metrics.js';
import { Plot } from './plot.js';
import { connect, status } from './stream.js';

// quietly is how often a page is loaded again although nothing is known to have changed:
// each time is several requests in the audit trail.
const quietly = 60000;

// soon is how long changes are waited for that come together.
const soon = 300;

// telling are the metrics whose change says that a page's other parts have changed.
const telling = ['HsmUnhealthy', 'AlarmsFiring', 'JournalHealthy'];

// refresh loads the page again and replaces the parts that say that they can be.
async function refresh() {
	const answer = await fetch(location.href, { headers: { 'Strongroom-Refresh': '1' } });
	if (!answer.headers.get('Content-Type')?.startsWith('text/html')) return;
	const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
	for (const old of document.querySelectorAll('[data-refresh]')) {
		const now = page.getElementById(old.id);
		if (now && now.innerHTML !== old.innerHTML && !old.contains(document.activeElement)) old.replaceChildren(...now.childNodes);
	}
}

// refresher returns a function that has the page refreshed soon, once for many calls.
function refresher() {
	let timer = 0;
	const now = async () => {
		timer = 0;
		try {
			await refresh();
		} catch {
			// The stream says that the server does not answer.
		}
	};
	return () => {
		timer ||= setTimeout(now, soon);
	};
}

// keyOf tells a series from all others.
function keyOf(series) {
	return [series.namespace, series.name, ...Object.entries(series.dimensions).sort().flat()].join('\n');
}

// shown is what the page, which was made before the first sample came, says of a metric;
// undefined if it says nothing.
function shown({ name, dimensions }) {
	if (name === 'AlarmsFiring' && document.querySelector('#alarms-firing, #alarm-list')) {
		return document.querySelectorAll('[data-alarm][data-state="FIRING"]').length;
	}
	const state = name === 'HsmUnhealthy' && document.querySelector(`[data-live="hsm-state:${CSS.escape(dimensions.HsmId)}"]`);
	return state ? Number(state.textContent.trim() !== 'READY') : undefined;
}

export function watch(url) {
	const plots = [...document.querySelectorAll('[data-plot]')].map((figure) => new Plot(figure));
	const indicator = document.getElementById('live');
	const changed = refresher();
	const last = new Map();
	let trouble = document.querySelector('#trouble .notice') ? 'unknown' : '';

	const tell = (series, value) => {
		if (!telling.includes(series.name)) return;
		const key = keyOf(series);
		const before = last.get(key) ?? shown(series);
		if (before !== undefined && before !== value) changed();
		last.set(key, value);
	};

	connect(url, {
		history({ series, points }) {
			for (const p of plots) if (p.isOf(series)) p.begin(keyOf(series), series, points);
		},
		sample({ time, values }) {
			for (const { series, value } of values) {
				for (const p of plots) if (p.isOf(series)) p.add(keyOf(series), series, time, value);
				const hsm = series.dimensions.HsmId;
				if (hsm) showValue(`${series.name}:${hsm}`, value);
				tell(series, value);
			}
			for (const p of plots) p.draw(time);
		},
		health(now) {
			if (now.trouble !== trouble) changed();
			trouble = now.trouble;
		},
	}, (state, text) => status(indicator, state, text));

	setInterval(() => document.hidden || changed(), quietly);
}

