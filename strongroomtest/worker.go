package strongroomtest

import (
	"os"

	"github.com/strongroom-kms/strongroom/hsmpool/worker"
)

// workerVariable marks the environment of the workers that this package's
// servers start.
const workerVariable = "STRONGROOMTEST_WORKER"

// workerEnv is added to the environment of workers. In a test with the race detector
// they do not wait a second at their end.
func workerEnv() map[string]string {
	return map[string]string{workerVariable: "1", "GORACE": "atexit_sleep_ms=0"}
}

// init makes the process an HSM worker if a server of this package has started
// it as one. A server starts its worker from its own executable, which in a test
// is the test binary: that would run the tests again, before whose TestMain only
// an init comes. It is the repository's only one, so that every test can have a
// server without a TestMain of its own. To any other process it does nothing.
func init() { //nolint:gochecknoinits // see above
	if os.Getenv(workerVariable) != "" && len(os.Args) == 2 && os.Args[1] == "hsm-worker" {
		os.Exit(worker.Main(nil)) //nolint:forbidigo // this process is the worker, whole
	}
}
