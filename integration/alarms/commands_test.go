package alarms

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/internal/alarm"
)

// TestTheCommandsOfActionsAreThere asks the program for help on each command, with its flags,
// that an alarm's action names.
func TestTheCommandsOfActionsAreThere(t *testing.T) {
	t.Parallel()
	command := regexp.MustCompile("`strongroom ([^`]+)`")
	tried := 0
	for _, a := range alarm.Table(alarm.DefaultSettings()) {
		for _, found := range command.FindAllStringSubmatch(a.Action, -1) {
			tried++
			words, flag, _ := strings.Cut(found[1], " --")
			out, err := exec.CommandContext(t.Context(), binary, append(strings.Fields(words), "--help")...).CombinedOutput()
			if err != nil || flag != "" && !strings.Contains(string(out), "--"+flag) {
				t.Errorf("%s: strongroom %s: %v\n%s", a.Name, found[1], err, out)
			}
		}
	}
	if tried < 10 {
		t.Errorf("the actions name %d commands: are they still in backticks?", tried)
	}
}
