package export

import (
	"time"
)

// Status is where the export stands.
type Status struct {
	// Exported is the newest record that is in durable log files, as far as it
	// belongs in one.
	Exported uint64
	// Covered is the newest record that digests stand for, in every Region.
	Covered uint64
	// LagRecords is how many records the trail has behind Exported, and Lag for how
	// long the oldest of them has waited. Up to Options.LogFilePeriod is normal.
	LagRecords uint64
	Lag        time.Duration
	// LastLogFile is when log files were last written; zero if not since Open.
	LastLogFile time.Time
	// Digests are the newest ones, by Region.
	Digests []DigestStatus
	// LogFileError is why the last attempt to export failed, and DigestError why the
	// last one to sign did; empty if they did not.
	LogFileError, DigestError string
}

// DigestStatus is the newest digest of a Region.
type DigestStatus struct {
	// Region is whose digest it is, and Object its name.
	Region, Object string
	// End is when it ends.
	End time.Time
	// LastSequence is the last record that it stands for, and LastHash the journal's
	// chain after that, in hexadecimal.
	LastSequence uint64
	LastHash     string
	// Fingerprint names the key that signed it.
	Fingerprint string
}

// Status returns where the export stands.
func (e *Exporter) Status() Status {
	head := e.opts.Trail.Head().Seq
	e.mu.Lock()
	defer e.mu.Unlock()
	status := e.status
	if head > status.Exported {
		status.LagRecords = head - status.Exported
	}
	if !e.since.IsZero() {
		status.Lag = max(0, time.Since(e.since))
	}
	return status
}

// Taken returns the newest record that log files have and digests cover: what no
// longer needs the journal for this export's sake. It never fails.
func (e *Exporter) Taken() (uint64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.status.Covered, nil
}

// waitsSince notes when the oldest record was written that is not exported.
func (e *Exporter) waitsSince(written time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.since.IsZero() {
		e.since = written
	}
}

// known notes where the durable state is. What it names is in the tree.
func (e *Exporter) known(st *state) {
	digests := make([]DigestStatus, 0, len(st.Regions))
	for _, region := range st.regions() {
		if l := st.Regions[region].Last; l != nil {
			digests = append(digests, DigestStatus{region, l.Object, l.End, l.Last, l.LastHash, l.Fingerprint})
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.Exported, e.status.Covered, e.status.Digests = st.Cursor.Sequence, st.taken(), digests
}

// exported notes that everything read is exported.
func (e *Exporter) exported(st *state, files bool) {
	e.known(st)
	e.pause = firstPause
	e.mu.Lock()
	fault := e.status.LogFileError
	e.status.LogFileError, e.since = "", time.Time{}
	if files {
		e.status.LastLogFile = time.Now()
	}
	e.mu.Unlock()
	if fault != "" {
		e.opts.Logger.Info("the audit trail is exported again")
	}
}

// failed logs the first of several faults in a row: they are mostly one.
func (e *Exporter) failed(err error) {
	e.mu.Lock()
	again := e.status.LogFileError != ""
	e.status.LogFileError = err.Error()
	e.mu.Unlock()
	if !again {
		e.opts.Logger.Error("the audit trail cannot be exported, and stays in the journal until it can", "error", err)
	}
}

func (e *Exporter) unsigned(err error) {
	e.mu.Lock()
	again := e.status.DigestError != ""
	e.status.DigestError = err.Error()
	e.mu.Unlock()
	if !again {
		e.opts.Logger.Error("audit digests wait for their signature", "error", err)
	}
}

func (e *Exporter) signed() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.DigestError = ""
}
