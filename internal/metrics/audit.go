package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/strongroom-kms/strongroom/audit/ship"
)

// audit collects the metrics of the audit trails.
type audit struct {
	sources Sources

	head, first, size, healthy, headInfo *prometheus.Desc
	digestEnd, digestSequence            *prometheus.Desc
	exportLag, indexLag                  *prometheus.Desc
	sinks                                []sinkMetric
}

// sinkMetric is a metric of each sink.
type sinkMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(ship.Status) float64
}

func newAudit(s Sources) *audit {
	a := &audit{
		sources:  s,
		head:     describe("journal_head_sequence", "Number of the newest durable record of the journal."),
		first:    describe("journal_first_sequence", "Number of the oldest record that is left in the journal."),
		size:     describe("journal_size_bytes", "Size of the journal's files."),
		healthy:  describe("journal_healthy", "1 if the journal can be written, 0 if requests fail because it cannot."),
		headInfo: describe("journal_head_info", "The head of the journal, to be kept elsewhere: 1, with the journal's id, the newest record's number and the hash that stands for it and all before it.", "journal", "sequence", "hash"),

		digestEnd:      describe("digest_end_timestamp_seconds", "When the newest signed digest ends, of each Region.", "region"),
		digestSequence: describe("digest_last_sequence", "Number of the newest record that a signed digest covers, of each Region.", "region"),
		exportLag:      describe("export_lag_records", "Records of the journal that are in no log file yet."),
		indexLag:       describe("index_lag_records", "Records of the journal that the index for searches does not have yet."),
	}
	a.sinks = append(sinkGauges(), sinkCounters()...)
	return a
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("strongroom_audit_"+name, help, labels, nil)
}

func sinkGauges() []sinkMetric {
	gauge := func(name, help string, value func(ship.Status) float64) sinkMetric {
		return sinkMetric{describe("sink_"+name, help, "sink"), prometheus.GaugeValue, value}
	}
	return []sinkMetric{
		gauge("sequence", "Number of the newest record that the sink has, with all before it.", func(s ship.Status) float64 { return float64(s.Sequence) }),
		gauge("lag_records", "Records of the journal that the sink does not have yet.", func(s ship.Status) float64 { return float64(s.LagRecords) }),
		gauge("lag_seconds", "How long the oldest record that the sink does not have has waited.", func(s ship.Status) float64 { return s.LagOldest.Seconds() }),
		gauge("required", "1 if retention waits for the sink.", func(s ship.Status) float64 { return number(s.Required) }),
		gauge("blocked", "1 if the sink refuses something for good and is sent nothing else.", func(s ship.Status) float64 { return number(s.Blocked) }),
	}
}

func sinkCounters() []sinkMetric {
	counter := func(name, help string, value func(ship.Status) uint64) sinkMetric {
		return sinkMetric{describe("sink_"+name, help, "sink"), prometheus.CounterValue, func(s ship.Status) float64 { return float64(value(s)) }}
	}
	return []sinkMetric{
		counter("sent_total", "Records, or files, that the sink has taken since the start.", func(s ship.Status) uint64 { return s.Sent }),
		counter("errors_total", "Attempts to send that failed since the start.", func(s ship.Status) uint64 { return s.Errors }),
		counter("skipped_records_total", "Records that the sink refused and does not have.", func(s ship.Status) uint64 { return s.Skipped }),
		counter("missed_records_total", "Records that were removed from the journal before the sink had them.", func(s ship.Status) uint64 { return s.Missed }),
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Describe implements prometheus.Collector.
func (a *audit) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{a.head, a.first, a.size, a.healthy, a.headInfo, a.digestEnd, a.digestSequence, a.exportLag, a.indexLag} {
		descs <- d
	}
	for _, m := range a.sinks {
		descs <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (a *audit) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	a.collectJournal(gauge)
	if a.sources.Digests != nil {
		for _, d := range a.sources.Digests() {
			gauge(a.digestEnd, float64(d.End.Unix()), d.Region)
			gauge(a.digestSequence, float64(d.LastSequence), d.Region)
		}
	}
	if a.sources.IndexLag != nil {
		gauge(a.indexLag, float64(a.sources.IndexLag()))
	}
	if a.sources.Sinks != nil {
		for _, s := range a.sources.Sinks() {
			for _, m := range a.sinks {
				metrics <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(s), s.Name)
			}
		}
	}
}

func (a *audit) collectJournal(gauge func(*prometheus.Desc, float64, ...string)) {
	if a.sources.Journal == nil {
		return
	}
	var exported uint64
	if a.sources.ExportSequence != nil { // before the head, so that the lag is not negative
		exported = a.sources.ExportSequence()
	}
	j := a.sources.Journal()
	gauge(a.head, float64(j.HeadSequence))
	gauge(a.first, float64(j.FirstSequence))
	gauge(a.size, float64(j.SizeBytes))
	gauge(a.healthy, number(j.Healthy))
	gauge(a.headInfo, 1, j.ID, strconv.FormatUint(j.HeadSequence, 10), j.HeadHash)
	if a.sources.ExportSequence != nil {
		gauge(a.exportLag, float64(j.HeadSequence-min(exported, j.HeadSequence)))
	}
}
