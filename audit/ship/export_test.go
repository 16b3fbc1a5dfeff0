package ship

import "time"

// Quick returns the options with short pauses after failures.
func (o Options) Quick() Options {
	o.firstPause = time.Millisecond
	return o
}

// Slow returns the options with pauses that no test waits for.
func (o Options) Slow() Options {
	o.firstPause = time.Hour
	return o
}
