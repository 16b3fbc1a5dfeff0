package alarm

import "time"

// day is what is left before something expires is counted in, in seconds.
const day = 24 * 3600

// recent is the time over which rates are taken, and least how many requests make one.
const (
	recent = 5 * time.Minute
	least  = 20
)

// faults are the names of errors that are not the caller's doing.
const faults = "Internal.*|KMSInternal.*|ServiceUnavailable.*|KeyUnavailable.*|DependencyTimeout.*|CloudHsmInternalFailure.*"

// load is a metric of a server as a share of its limit.
func load(metric string) Vector {
	return Ratio(Max(Latest(Series(metric)), server), Max(Latest(Series(metric+"_limit")), server))
}

// requestAlarms are about requests and their answers.
func requestAlarms() []Alarm {
	requests := Series("strongroom_requests_total")
	answered := Sum(Increase(requests, recent), server)
	enough := Above(answered, least)
	took := Sum(Increase(Series("strongroom_request_duration_seconds_bucket"), recent), server, bucketLabel)
	return []Alarm{
		{
			Name: "ErrorRateHigh", Severity: Critical, For: time.Minute,
			Summary: "More than 5 % of the requests of the last five minutes failed by a fault of the service.",
			Action:  "See the log and `strongroom hsm info`: mostly an HSM is away, or the journal's disk is full. `strongroom events show --failed` has the requests.",
			Runbook: "operations.md#watching",
			When:    Above(Ratio(Sum(Increase(requests.Like("outcome", faults), recent), server), answered), 0.05).And(enough),
		},
		{
			Name: "LatencyHigh", Severity: Warning, For: 5 * time.Minute,
			Summary: "One in a hundred requests of the last five minutes took longer than a second.",
			Action:  "Compare the time in the queue, at the HSM and for the journal (strongroom_request_queue_seconds, _hsm_seconds, _journal_seconds).",
			Runbook: "monitoring.md#alarms",
			When:    Above(Quantile(0.99, took), 1).And(enough),
		},
		{
			Name: "RequestsNearLimit", Severity: Warning, For: time.Minute,
			Summary: "A server works on more than 90 % of the requests that it takes at the same time. Beyond that it refuses them.",
			Action:  "See what they wait for: `strongroom hsm info`. If the HSMs can carry more, raise `limits.max_in_flight`; else have fewer callers, or more HSMs.",
			Runbook: "limits.md#overload",
			When:    Above(load("strongroom_requests_in_flight"), 0.9),
		},
		{
			Name: "ConnectionsNearLimit", Severity: Warning, For: time.Minute,
			Summary: "A server has more than 90 % of the gRPC connections that it takes. Beyond that it closes them.",
			Action:  "See who has them; clients should keep one connection each. Raise `limits.max_connections` if all are needed.",
			Runbook: "configuration.md#limits",
			When:    Above(load("strongroom_grpc_connections"), 0.9),
		},
		{
			Name: "RequestsThrottled", Severity: Warning, For: 5 * time.Minute,
			Summary: "Requests are refused because there are too many of them.",
			Action:  "Have the callers cache data keys or slow down. If the HSMs can carry more, raise `clusters[].requests_per_second` of the custom key store that the alarm names, or `limits.max_in_flight` for the default one.",
			Runbook: "limits.md#overload",
			When:    Above(Increase(Series("strongroom_throttled_total"), recent), 0),
		},
	}
}

// keyAlarms are about what runs out.
func keyAlarms() []Alarm {
	expiry := Max(Latest(Series("strongroom_certificate_expiry_seconds")), server, "use")
	left := Ratio(expiry, Max(Latest(Series("strongroom_certificate_lifetime_seconds")), server, "use"))
	return []Alarm{
		{
			Name: "KeyNearInvocationLimit", Severity: Warning,
			Summary: "A key has used more than 85 % of the 2^32 encryptions that one backing key may make.",
			Action:  "It should have had a new backing key at 75 %: see the log for why its rotation fails, and rotate it (`strongroom key rotation now`).",
			Runbook: "operations.md#keys-and-their-life",
			When:    Above(Latest(Series("strongroom_key_gcm_invocations_ratio_max")), 0.85),
		},
		{
			Name: "KeyMaterialExpiresSoon", Severity: Warning,
			Summary: "Imported key material expires within a week. Its key is of no use then.",
			Action:  "Import the material again with a later date, or without one.",
			Runbook: "operations.md#keys-and-their-life",
			When:    Below(Latest(Series("strongroom_key_material_expiry_seconds_min")), 7*day),
		},
		{
			Name: "KeyDeletedSoon", Severity: Warning,
			Summary: "A key is destroyed within a day. What is encrypted under it is lost then.",
			Action:  "See that nobody has used it since (`strongroom key last-usage`). `strongroom key cancel-deletion` keeps it.",
			Runbook: "operations.md#keys-and-their-life",
			When:    Below(Latest(Series("strongroom_keys_pending_deletion_seconds_min")), day),
		},
		{
			Name: "CertificateExpiresSoon", Severity: Warning,
			Summary: "A certificate of the server, or of an authority, expires within a month, and less than 15 % of its life is left.",
			Action:  "Put the new one in the place of the old one.",
			Runbook: "operations.md#certificates",
			When:    Below(left, 0.15).And(Below(expiry, 30*day)),
		},
		{
			Name: "CertificateExpiresNow", Severity: Critical,
			Summary: "A certificate expires within two days, and less than 5 % of its life is left, or it has expired: connections are refused then.",
			Action:  "Put the new one in the place of the old one today.",
			Runbook: "operations.md#certificates",
			When:    Below(left, 0.05).And(Below(expiry, 2*day)),
		},
	}
}

// outsideAlarms are about what a server cannot say of itself.
func outsideAlarms() []Alarm {
	return []Alarm{{
		Name: "StrongroomDown", Severity: Critical, For: time.Minute, Outside: true,
		Summary: "Prometheus cannot reach a server.",
		Action:  "See whether it runs, and what its log says last.",
		Runbook: "operations.md#watching",
		When:    Equals(Latest(Series("up").With("job", "strongroom")), 0),
	}}
}
