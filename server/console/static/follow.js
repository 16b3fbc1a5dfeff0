// Following a trail: what is new comes to the top of the table, as it happens.
import { connect, status } from './stream.js';

// shown is how many rows a table has at most.
const shown = 500;

function cell(tag, label, ...children) {
	const c = document.createElement(tag);
	if (label) c.dataset.label = label;
	c.append(...children);
	return c;
}

function element(tag, className, text) {
	const e = document.createElement(tag);
	if (className) e.className = className;
	e.textContent = text;
	return e;
}

function time(record) {
	const t = element('time', '', record.shown);
	t.dateTime = record.time;
	return t;
}

function agent(text) {
	const a = element('span', 'quiet agent', text);
	a.title = text;
	return a;
}

// first is the beginning of an id.
const first = (id) => (id.length > 9 ? `${id.slice(0, 8)}…` : id);

function link(path, text, title) {
	const a = document.createElement('a');
	a.href = path;
	if (title) a.title = title;
	a.append(element('code', '', text));
	return a;
}

function outcome(error) {
	return error ? element('span', 'state failed', error) : element('span', 'state ok', 'OK');
}

// resource links to a key's page, by its ARN.
function resource(arn) {
	const [, , service, region, , name] = arn.split(':');
	const id = name?.startsWith('key/') ? name.slice(4) : '';
	if (service === 'kms' && id) return link(`/keys/${encodeURIComponent(id)}?region=${encodeURIComponent(region)}`, `key/${first(id)}`, arn);
	const code = element('code', '', short(arn));
	code.title = arn;
	return code;
}

const requestLink = (id) => (id ? link(`/requests/${encodeURIComponent(id)}`, first(id), id) : '');

// short is what an ARN of IAM names.
const short = (arn) => (arn.startsWith('arn:') ? arn.slice(arn.lastIndexOf(':') + 1) : arn);

// rows make the row of a record, as parts.html does.
const rows = {
	events(e) {
		const row = document.createElement('tr');
		Object.assign(row.dataset, { sequence: e.sequence, event: e.name, request: e.requestID });
		const from = [e.source, e.region].filter(Boolean).join(', ');
		const resources = e.resources.length ? e.resources.flatMap((r) => [resource(r), ' ']) : [element('span', 'quiet', 'none')];
		const scope = cell('th', '', time(e));
		scope.scope = 'row';
		row.append(scope, cell('td', 'Event', element('span', 'once', e.name), ' ', element('span', 'quiet', from)), cell('td', 'Principal', element('span', 'once', short(e.principal))),
			cell('td', 'Outcome', outcome(e.error)), cell('td', 'Resources', ...resources),
			cell('td', 'From', `${e.address} `, agent(e.userAgent)), cell('td', 'Request', requestLink(e.requestID)));
		return row;
	},
	entries(e) {
		const row = document.createElement('tr');
		Object.assign(row.dataset, { sequence: e.sequence, opcode: e.opcode, request: e.requestID });
		const scope = cell('th', '', time(e));
		scope.scope = 'row';
		row.append(scope, cell('td', 'HSM', link(`/hsms/${encodeURIComponent(e.hsm)}`, e.hsm)), cell('td', 'Opcode', element('span', 'once', e.opcode)),
			cell('td', 'Response', outcome(e.failed ? e.response : '')), cell('td', 'Key', e.key ? resource(e.key) : element('span', 'quiet', 'none')),
			cell('td', 'Request', requestLink(e.requestID)));
		return row;
	},
};

// follow makes a button follow the trail that its page has searched.
export function follow(button) {
	const body = document.querySelector('tbody[data-rows]'); // none after a search that failed
	if (!button || !body) return;
	const indicator = document.getElementById('live');
	const make = rows[body.dataset.rows];
	let stop = null;

	const add = (record) => {
		if (body.querySelector(`[data-sequence="${record.sequence}"]`)) return;
		const row = make(record);
		row.classList.add('new');
		body.prepend(row);
		while (body.rows.length > shown) body.lastElementChild.remove();
	};

	button.hidden = false;
	button.addEventListener('click', () => {
		const on = !stop;
		button.setAttribute('aria-pressed', String(on));
		if (on) {
			stop = connect(button.dataset.url, { record: add }, (state, text) => status(indicator, state, state === 'on' ? 'Following: what is new comes first' : text));
		} else {
			stop();
			stop = null;
			status(indicator, 'off', 'Not following');
		}
	});
}
