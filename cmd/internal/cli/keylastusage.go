package cli

import (
	"context"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type keyLastUsageCmd struct {
	Key keyID `arg:"" help:"The key's id or ARN."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*keyLastUsageCmd) Help() string {
	return `Says when the key was last used for cryptography, and since when that is noted. A key
that has not been used since is shown without a last use.`
}

// Run prints when the key was used last.
func (c *keyLastUsageCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.GetKeyLastUsageRequest{KeyId: c.Key.id()}
	return ask(ctx, p, c.requestFlags, kms.GetKeyLastUsage, request, func(w io.Writer, r *kmsv1.GetKeyLastUsageResponse) error {
		last := r.GetKeyLastUsage()
		return present.Fields(w, []present.Field{
			{Name: "Key", Value: r.GetKeyId()},
			{Name: "Last used", Value: present.Time(last.GetTimestamp())},
			{Name: "Operation", Value: present.Enum(last.GetOperation())},
			{Name: "Event", Value: last.GetCloudTrailEventId()},
			{Name: "Request", Value: last.GetKmsRequestId()},
			{Name: "Noted since", Value: present.Time(r.GetTrackingStartDate())},
			{Name: "Created", Value: present.Time(r.GetKeyCreationDate())},
		})
	})
}
