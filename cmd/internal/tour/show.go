package tour

import (
	"fmt"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/present"
)

// show prints the records of each step side by side.
func show(w io.Writer, width int, steps []step, records map[string]*record) error {
	left := []string{"API EVENTS, as CloudTrail records them"}
	right := []string{"HSM AUDIT LOG, as CloudHSM records it"}
	if err := present.SideBySide(w, width, left, right); err != nil {
		return err
	}
	for i, s := range steps {
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		r := records[s.requestID]
		event := append([]string{fmt.Sprintf("%d. %s", i+1, s.name)}, r.event...)
		entries := append([]string{""}, r.entries...)
		if len(r.entries) == 0 {
			entries = []string{"", "(none: HSMs log their management, not each use of a key)"}
		}
		if err := present.SideBySide(w, width, event, entries); err != nil {
			return err
		}
	}
	return nil
}
