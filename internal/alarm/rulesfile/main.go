// Command rulesfile prints the alarms as a file of Prometheus's rules.
package main

import (
	"fmt"
	"os"

	"github.com/strongroom-kms/strongroom/internal/alarm"
)

func main() {
	rules, err := alarm.Rules(alarm.Table(alarm.DefaultSettings()))
	if err == nil {
		_, err = os.Stdout.Write(rules)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rulesfile:", err)
		os.Exit(1)
	}
}
