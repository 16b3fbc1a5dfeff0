package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// The waiting period before a key is deleted, in days.
const (
	minDays = 7
	maxDays = 30
)

type keyScheduleDeletionCmd struct {
	Key  keyID  `arg:"" help:"The key's id or ARN."`
	Days *int32 `placeholder:"N" help:"The waiting period, 7 to 30 days (30)."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*keyScheduleDeletionCmd) Help() string {
	return `The key cannot be used from now on, and when the waiting period is over the server
destroys it in the HSM. Everything that was encrypted under it is lost then, for good; its
aliases go with it. Until then key cancel-deletion keeps the key, and the events show
who still asks for it. Nothing is asked first: the waiting period is for second thoughts.

Examples:

    strongroom key schedule-deletion $KEY
    strongroom key schedule-deletion $KEY --days 7`
}

// Run schedules the key's deletion.
func (c *keyScheduleDeletionCmd) Run(ctx context.Context, p *Process) error {
	if c.Days != nil && (*c.Days < minDays || *c.Days > maxDays) {
		return usagef("--days is %d to %d, not %d", minDays, maxDays, *c.Days)
	}
	request := &kmsv1.ScheduleKeyDeletionRequest{KeyId: c.Key.id(), PendingWindowInDays: c.Days}
	return ask(ctx, p, c.requestFlags, kms.ScheduleKeyDeletion, request, showScheduled)
}

func showScheduled(w io.Writer, r *kmsv1.ScheduleKeyDeletionResponse) error {
	date := present.Time(r.GetDeletionDate())
	err := present.Fields(w, []present.Field{
		{Name: "ARN", Value: r.GetKeyId()},
		{Name: "State", Value: present.Enum(r.GetKeyState())},
		{Name: "Deletion", Value: fmt.Sprintf("%s, in %d days", date, r.GetPendingWindowInDays())},
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `
The key cannot be used from now on. At the time of its deletion it is destroyed in the HSM,
and everything that was encrypted under it is lost for good. To keep it:

    strongroom key cancel-deletion %s
`, present.Printable(r.GetKeyId()))
	return err
}

type keyCancelDeletionCmd struct {
	Key keyID `arg:"" help:"The key's id or ARN."`
	requestFlags
}

// Run cancels the key's deletion.
func (c *keyCancelDeletionCmd) Run(ctx context.Context, p *Process) error {
	return ask(ctx, p, c.requestFlags, kms.CancelKeyDeletion, &kmsv1.CancelKeyDeletionRequest{KeyId: c.Key.id()}, showCancelled)
}

func showCancelled(w io.Writer, r *kmsv1.CancelKeyDeletionResponse) error {
	arn := present.Printable(r.GetKeyId())
	_, err := fmt.Fprintf(w, "Key %s is kept, and disabled. To use it again:\n\n    strongroom key enable %[1]s\n", arn)
	return err
}
