package alarm

import (
	"time"

	"github.com/strongroom-kms/strongroom/internal/metricfilter"
)

// Room on a disk, in bytes.
const (
	gibibyte = 1 << 30
	// segments is room for some of the journal's.
	segments = gibibyte / 4
)

// auditAlarms are about the journal, its disk, and what is made of it.
func auditAlarms(s Settings) []Alarm {
	free := Max(Latest(Series("strongroom_disk_free_bytes")), server, "directory")
	room := Ratio(free, Max(Latest(Series("strongroom_disk_size_bytes")), server, "directory"))
	const disk = "operations.md#disk"
	return []Alarm{
		{
			Name: "DiskNearlyFull", Severity: Warning, For: time.Minute, Runbook: disk,
			Summary: "Less than a tenth of the disk of the data or of the log files is left, and less than 10 GiB.",
			Action:  "Make room, or have retention keep less of the journal. Log files that are elsewhere can be removed.",
			When:    Below(room, 0.1).And(Below(free, 10*gibibyte)),
		},
		{
			Name: "DiskFull", Severity: Critical, Runbook: disk,
			Summary: "Less than 256 MiB of the disk of the data or of the log files is left: soon no request is answered.",
			Action:  "Make room now. Without it the journal cannot be written, and requests fail until there is some.",
			When:    Below(free, segments),
		},
		{
			Name: "JournalUnavailable", Severity: Critical,
			Summary: "The audit journal cannot be written: requests fail.",
			Action:  "Make room on the disk, or repair it. Requests are answered again by themselves.",
			Runbook: "operations.md#a-disk-that-is-full-read-only-or-failing",
			When:    Equals(Latest(Series("strongroom_audit_journal_healthy")), 0),
		},
		{
			Name: "DigestLate", Severity: Warning, For: time.Minute, // a start makes those that are due
			Summary: "Nothing of the trail was signed for two digest periods.",
			Action:  "See the log for the reason: mostly the HSM cannot sign, or the trail's directory cannot be written.",
			Runbook: "operations.md#the-audit-files-digests-shipping",
			When:    Above(Age(Series("strongroom_audit_digest_end_timestamp_seconds")), 2*s.DigestPeriod.Seconds()),
		},
	}
}

// sinkAlarms are about those who take the trails.
func sinkAlarms(s Settings) []Alarm {
	const runbook = "operations.md#the-audit-files-digests-shipping"
	missing := func(what string) Condition {
		return Above(Increase(Series("strongroom_audit_sink_"+what+"_records_total"), time.Hour), 0)
	}
	lag := Series("strongroom_audit_sink_lag_seconds")
	return []Alarm{
		{
			Name: "SinkBlocked", Severity: Critical, Runbook: runbook,
			Summary: "A sink of the audit trails refuses something for good and is sent nothing more.",
			Action:  "The log has what it refuses, and why. Retention waits for a required sink: the journal grows.",
			When:    Above(Latest(Series("strongroom_audit_sink_blocked")), 0),
		},
		{
			Name: "SinkSkippedRecords", Severity: Warning, Runbook: runbook,
			Summary: "A sink has refused records, and they are missing there.",
			Action:  "The log has their numbers; the journal has the records.",
			When:    missing("skipped"),
		},
		{
			Name: "SinkMissedRecords", Severity: Warning, Runbook: runbook,
			Summary: "Retention has removed records before a sink had them.",
			Action:  "Take them from the log files of the trail. Make the sink required, or keep more of the journal.",
			When:    missing("missed"),
		},
		{
			Name: "CollectorLags", Severity: Warning, Runbook: runbook, For: time.Minute,
			Summary: "The OpenTelemetry collector does not have records of five minutes ago.",
			Action:  "See whether the collector is there and keeps up: `strongroom audit status`. The journal is the buffer; nothing is lost while it has room.",
			When:    Above(Latest(lag.With("sink", "otlp")), 300),
		},
		{
			Name: "BucketLags", Severity: Warning, Runbook: runbook, For: time.Minute,
			Summary: "The bucket does not have digests of two digest periods ago.",
			Action:  "See whether the bucket can be reached and takes files: `strongroom audit status`, and the log.",
			When:    Above(Latest(lag.With("sink", "s3")), 2*s.DigestPeriod.Seconds()),
		},
	}
}

// quiet is the metric filter whose single matches are no alarm.
const quiet = metricfilter.AccessDenied

// filterAlarms are about what metric filters have counted.
func filterAlarms() []Alarm {
	matches := Series("strongroom_metric_filter_matches_total")
	const runbook = "monitoring.md#metric-filters"
	return []Alarm{
		{
			Name: "MetricFilterMatched", Severity: Warning, Runbook: runbook,
			Summary: "A record of the audit trails has matched a metric filter in the last ten minutes.",
			Action:  "Look for the record with the filter's condition: `strongroom events show --filter`, or `strongroom hsm-log show --filter`.",
			When:    Above(Increase(matches.Without("filter", quiet), 10*time.Minute), 0),
		},
		{
			Name: "AccessDeniedOften", Severity: Warning, Runbook: runbook,
			Summary: "More than 20 requests were denied in the last ten minutes.",
			Action:  "See whose: `strongroom events show --failed`. Somebody lacks a permission that they need, or tries what they may not.",
			When:    Above(Increase(matches.With("filter", quiet), 10*time.Minute), 20),
		},
	}
}
