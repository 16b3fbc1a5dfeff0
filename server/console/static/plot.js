// A plot of a metric: a line for each of its series, from the stream's history on.
/* global uPlot */
import { number, showValue } from './metrics.js';

// kept is how much of the past is shown, in seconds.
const kept = 3 * 3600;

const colours = ['#2f7ed8', '#c25e00', '#2a8f4f', '#8e44ad', '#b8860b', '#c0392b', '#16a085', '#7f8c8d'];

// Line is a series of a plot.
class Line {
	constructor(label) {
		this.label = label;
		this.points = new Map(); // value by time, in seconds
		this.before = null; // the sample before, of metrics that are shown as a rate
	}
}

export class Plot {
	constructor(figure) {
		this.figure = figure;
		this.canvas = figure.querySelector('.canvas');
		this.output = figure.querySelector('.last');
		const d = figure.dataset;
		this.rate = d.rate === 'true'; // the metric only grows
		this.perSecond = d.perSecond === 'true'; // it is how many there were since the sample before
		this.unit = this.rate ? `${d.unit}/Second` : d.unit;
		this.lines = new Map();
		this.chart = null;
		new ResizeObserver(() => this.resize()).observe(this.canvas);
	}

	// isOf says whether a series is one of this plot's.
	isOf(series) {
		const d = this.figure.dataset;
		return series.namespace === d.namespace && series.name === d.plot && (!d.hsm || series.dimensions.HsmId === d.hsm);
	}

	line(key, series) {
		if (!this.lines.has(key)) {
			this.lines.set(key, new Line(series.dimensions.HsmId ?? this.figure.dataset.title));
			this.chart?.destroy();
			this.chart = null;
		}
		return this.lines.get(key);
	}

	// begin takes the history of a series, minute by minute: time, mean and sum.
	begin(key, series, points) {
		const line = this.line(key, series);
		line.points.clear();
		line.before = null;
		for (const [time, mean, sum] of points) {
			if (this.perSecond) line.points.set(time, sum / 60);
			else if (this.rate) this.grow(line, time, mean);
			else line.points.set(time, mean);
		}
	}

	// add takes a sample of a series.
	add(key, series, time, value) {
		const line = this.line(key, series);
		if (this.rate) this.grow(line, time, value);
		else if (this.perSecond) this.count(line, time, value);
		else line.points.set(time, value);
		for (const t of line.points.keys()) {
			if (t >= time - kept) break;
			line.points.delete(t);
		}
	}

	// grow adds how much a value has grown in a second. One that is less has begun again.
	grow(line, time, value) {
		const { before } = line;
		line.before = { time, value };
		if (before && time > before.time && value >= before.value) line.points.set(time, (value - before.value) / (time - before.time));
	}

	// count adds how many there were in a second since the sample before.
	count(line, time, value) {
		const { before } = line;
		line.before = { time, value };
		if (before && time > before.time) line.points.set(time, value / (time - before.time));
	}

	// table is the data as uPlot wants it: times, and the values of each line then.
	table() {
		const lines = [...this.lines.values()];
		const times = [...new Set(lines.flatMap((l) => [...l.points.keys()]))].sort((a, b) => a - b);
		return [times, ...lines.map((l) => times.map((t) => l.points.get(t) ?? null))];
	}

	draw(time) {
		const data = this.table();
		if (!data[0].length) {
			this.output.textContent = 'none';
			this.canvas.textContent = 'Nobody tells this of an HSM: docs/monitoring.md says what an operator can add (telemetry).';
			if (this.figure.dataset.namespace === 'Strongroom') this.canvas.textContent = 'There is nothing to tell of yet.';
			this.canvas.setAttribute('aria-label', `${this.figure.dataset.title}: no value`);
			return;
		}
		if (!this.chart) this.canvas.textContent = '';
		if (!this.chart) this.chart = new uPlot(this.options(), data, this.canvas);
		else this.chart.setData(data);
		this.tell(data, time);
	}

	// tell says the newest values in words.
	tell(data, time) {
		const newest = [...this.lines.values()].map((l) => ({ label: l.label, value: [...l.points.values()].at(-1) })).filter((n) => n.value !== undefined);
		if (!newest.length) return;
		const words = newest.map((n) => (newest.length > 1 ? `${n.label} ${number(n.value, this.unit)}` : number(n.value, this.unit))).join(', ');
		const d = this.figure.dataset;
		d.points = data[0].length;
		d.last = newest.map((n) => n.value).join(' ');
		this.output.textContent = newest.length > 1 ? '' : words;
		this.legend(newest);
		this.canvas.setAttribute('aria-label', `${d.title}: ${words}`);
		if (d.readout) showValue(d.readout, newest[0].value, this.unit);
	}

	// legend lists lines by their colours, if there are several.
	legend(newest) {
		const list = this.figure.querySelector('.lines');
		list.hidden = newest.length < 2;
		list.replaceChildren(...newest.map((n, i) => {
			const item = document.createElement('li');
			const swatch = document.createElement('span');
			swatch.className = 'swatch';
			swatch.style.background = colours[i % colours.length];
			item.append(swatch, ` ${n.label} ${number(n.value, this.unit)}`);
			return item;
		}));
	}

	// clock writes times of the axis in UTC.
	clock(times, step) {
		return times.map((t) => new Date(t * 1000).toISOString().slice(11, step < 60 ? 19 : 16));
	}

	options() {
		const style = getComputedStyle(document.documentElement);
		const axis = { stroke: style.getPropertyValue('--quiet'), grid: { stroke: style.getPropertyValue('--line'), width: 1 }, ticks: { show: false } };
		const lines = [...this.lines.values()];
		return {
			width: this.canvas.clientWidth,
			height: this.canvas.clientHeight,
			legend: { show: false },
			cursor: { drag: { setScale: false } },
			tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), 'Etc/UTC'),
			scales: { y: { range: (u, low, high) => [Math.min(0, low), high > 0 ? high * 1.15 : 1] } },
			axes: [{ ...axis, size: 28, space: 70, values: (u, times, i, space, step) => this.clock(times, step) }, { ...axis, size: 64, values: (u, ticks) => ticks.map((v) => number(v, this.unit)) }],
			series: [{}, ...lines.map((l, i) => ({ label: l.label, stroke: colours[i % colours.length], width: 2, spanGaps: true, points: { show: l.points.size < 3 } }))],
		};
	}

	resize() {
		if (this.chart) this.chart.setSize({ width: this.canvas.clientWidth, height: this.canvas.clientHeight });
	}
}
