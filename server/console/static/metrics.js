// How values are written, as format.go writes them too.

const decimal = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 });
const rough = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 2 });
const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const sizes = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];

function bytes(value) {
	let size = value;
	let i = 0;
	for (; size >= 1024 && i < sizes.length - 1; i++) size /= 1024;
	return i === 0 ? `${whole.format(value)} bytes` : `${size.toFixed(1)} ${sizes[i]}`;
}

// number writes a value in its unit.
export function number(value, unit) {
	switch (unit) {
	case 'Bytes':
		return bytes(value);
	case 'Bytes/Second':
		return `${bytes(value)}/s`;
	case 'Count/Second':
		return value < 10 ? rough.format(value) : whole.format(value);
	case 'Milliseconds':
		return `${decimal.format(value)} ms`;
	case 'Seconds':
		return value < 1 ? `${decimal.format(value * 1000)} ms` : `${decimal.format(value)} s`;
	}
	return Number.isInteger(value) ? whole.format(value) : decimal.format(value);
}

// showValue writes a value in the place of its name, if the page has one.
export function showValue(name, value, unit) {
	const place = document.querySelector(`[data-live="${CSS.escape(name)}"]`);
	if (!place) return;
	const text = number(value, unit ?? place.dataset.unit);
	if (place.textContent !== text) place.textContent = text;
}
