// What every page does: the search box by "/", and, if the page has a stream, live values.
import { follow } from './follow.js';
import { watch } from './live.js';

// typing says whether a key press is text.
function typing(target) {
	return target.isContentEditable || ['INPUT', 'SELECT', 'TEXTAREA'].includes(target.tagName);
}

document.addEventListener('keydown', (event) => {
	if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
	const search = document.querySelector('input[type="search"]');
	if (!search) return;
	event.preventDefault();
	search.focus();
	search.select();
});

// A Region is shown when it is chosen; without JavaScript there is the button.
document.getElementById('region')?.form.addEventListener('change', (event) => event.currentTarget.requestSubmit());

if (document.body.dataset.stream) watch(document.body.dataset.stream);
follow(document.getElementById('follow'));
