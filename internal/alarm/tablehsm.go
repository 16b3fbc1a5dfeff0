package alarm

import "time"

// Labels of an HSM; and of the server that tells of it, which Prometheus adds.
const (
	cluster = "cluster_id"
	hsm     = "hsm_id"
	server  = "instance"
)

// share is a metric of each HSM as a share of another one.
func share(metric, of string) Vector {
	return Ratio(Max(Latest(Series(metric)), server, cluster, hsm), Max(Latest(Series(of)), server, cluster, hsm))
}

// hsmAlarms are about an HSM by itself.
func hsmAlarms() []Alarm {
	return []Alarm{
		{
			Name: "HSMUnhealthy", Severity: Critical, For: time.Minute,
			Summary: "An HSM does not do its work.",
			Action:  "Look at its state and the reason with `strongroom hsm info`. Its worker is restarted by itself; if that does not help, look at the HSM, its network and its client daemon.",
			Runbook: "operations.md#what-runs",
			When:    Above(Latest(Series("cloudhsm_hsm_unhealthy")), 0),
		},
		{
			Name: "HSMStopped", Severity: Critical,
			Summary: "An HSM is not tried again before somebody has acted.",
			Action:  "`strongroom hsm info` says why. Correct that, and run `strongroom hsm unlock-check`.",
			Runbook: "operations.md#a-wrong-pin",
			When:    Above(Latest(Series("strongroom_hsm_state").With("state", "stopped")), 0),
		},
		{
			Name: "HSMSuspended", Severity: Warning, For: time.Minute,
			Summary: "An HSM gets no requests: it keeps failing, or is withdrawn from service.",
			Action:  "`strongroom hsm info` has the reason. The other HSMs of the cluster serve meanwhile; bring this one back. It serves again by itself when it answers, or is cool enough.",
			Runbook: "operations.md#what-runs",
			When:    Above(Latest(Series("strongroom_hsm_state").With("state", "suspended")), 0),
		},
		{
			Name: "HSMRestartsOften", Severity: Warning,
			Summary: "The worker of an HSM was restarted more than twice in 15 minutes.",
			Action:  "Look at the reasons in the server's log and at the HSM and its network. Requests in flight at a restart are slow or fail.",
			Runbook: "operations.md#what-runs",
			When:    Above(Increase(Series("strongroom_hsm_restarts_total"), 15*time.Minute), 2.5),
		},
		{
			Name: "HSMTemperatureHigh", Severity: Warning, For: time.Minute,
			Summary: "An HSM is hotter than 100 degrees Celsius. At its limit, 110 by default, it is taken out of service.",
			Action:  "Look at the cooling of the HSM, and take load off it.",
			Runbook: "configuration.md#telemetry",
			When:    Above(Latest(Series("cloudhsm_hsm_temperature_celsius")), 100),
		},
		{
			Name: "HSMKeysNearLimit", Severity: Warning, For: 5 * time.Minute,
			Summary: "An HSM has more than 80 % of the keys that it can hold.",
			Action:  "Delete keys that nobody uses any more (`strongroom key last-usage`), or add a cluster. At the limit CreateKey and rotations fail.",
			Runbook: "operations.md#keys-and-their-life",
			When:    Above(share("cloudhsm_hsm_keys_token_occupied", "strongroom_hsm_keys_limit"), 0.8),
		},
		{
			Name: "HSMSessionsNearLimit", Severity: Warning, For: 5 * time.Minute,
			Summary: "An HSM has more than 90 % of the sessions open that it allows.",
			Action:  "See which other applications use the HSM, and lower `sessions`. At the limit a restarted worker finds no session.",
			Runbook: "configuration.md#hsm",
			When:    Above(share("cloudhsm_hsm_session_count", "strongroom_hsm_sessions_limit"), 0.9),
		},
		{
			Name: "HSMUsersNearLimit", Severity: Warning, For: 5 * time.Minute,
			Summary: "An HSM has room for less than a tenth of its users.",
			Action:  "Remove users that nobody needs any more with the HSM's own tools.",
			Runbook: "operations.md#aws-cloudhsm",
			When:    Below(share("cloudhsm_hsm_users_available", "cloudhsm_hsm_users_max"), 0.1),
		},
	}
}

// pinAlarms are about what an HSM says of its user PIN.
func pinAlarms() []Alarm {
	state := func(state string) Condition {
		return Above(Latest(Series("strongroom_hsm_pin_state").With("state", state)), 0)
	}
	const runbook = "operations.md#a-wrong-pin"
	return []Alarm{
		{
			Name: "HSMPINCountLow", Severity: Warning, Runbook: runbook, When: state("count_low"),
			Summary: "Somebody has given an HSM a wrong user PIN since the last login.",
			Action:  "Find out who: this server tries a refused PIN once and not again. A few more wrong ones lock the user.",
		},
		{
			Name: "HSMPINFinalTry", Severity: Critical, Runbook: runbook, When: state("final_try"),
			Summary: "One more wrong PIN locks the user of an HSM.",
			Action:  "Correct the PIN where the server reads it, log in once with the right one by the HSM's own tool, then run `strongroom hsm unlock-check`.",
		},
		{
			Name: "HSMPINLocked", Severity: Critical, Runbook: runbook, When: state("locked"),
			Summary: "The user of an HSM is locked: nobody can log in.",
			Action:  "Have the HSM's officer unlock the user, correct the PIN where the server reads it, then run `strongroom hsm unlock-check`.",
		},
	}
}

// clusterAlarms are about HSMs that should hold the same.
func clusterAlarms() []Alarm {
	return []Alarm{
		{
			Name: "HSMKeyCountsDiffer", Severity: Warning, For: 15 * time.Minute,
			Summary: "The HSMs of a cluster do not hold the same number of keys.",
			Action:  "Keys are missing at one of them: synchronise them with the vendor's tools. Until then requests for such keys go to the others. A key that was made while an HSM was out of service, or that came late, counts there once it is used there, or its worker starts anew.",
			Runbook: "operations.md#aws-cloudhsm",
			When:    Above(Spread(Latest(Series("cloudhsm_hsm_keys_token_occupied")), server, cluster), 0),
		},
		{
			Name: "HSMUserCountsDiffer", Severity: Warning, For: 15 * time.Minute,
			Summary: "The HSMs of a cluster do not have the same number of users.",
			Action:  "Create or remove users at the HSMs that differ, with the vendor's tools. A worker cannot log in where its user is missing.",
			Runbook: "operations.md#aws-cloudhsm",
			When:    Above(Spread(Latest(Series("cloudhsm_hsm_users_available")), server, cluster), 0),
		},
	}
}
