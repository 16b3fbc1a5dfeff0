package cli

import (
	"context"
	"io"
	"maps"
	"slices"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// parseTags reads tags, and puts them in the order of their names.
func parseTags(flag string, values []string) ([]*kmsv1.Tag, error) {
	pairs, err := parsePairs(flag, values)
	if err != nil {
		return nil, err
	}
	tags := make([]*kmsv1.Tag, 0, len(pairs))
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		tags = append(tags, &kmsv1.Tag{TagKey: &name, TagValue: new(pairs[name])})
	}
	return tags, nil
}

type keyTagCmd struct {
	Key  keyID    `arg:"" help:"The key's id or ARN."`
	Tags []string `arg:"" name:"name=value" help:"The tags; those of the same name are replaced."`
	requestFlags
}

// Run tags the key.
func (c *keyTagCmd) Run(ctx context.Context, p *Process) error {
	tags, err := parseTags("tag", c.Tags)
	if err != nil {
		return err
	}
	request := &kmsv1.TagResourceRequest{KeyId: c.Key.id(), Tags: tags}
	return change(ctx, p, c.requestFlags, kms.TagResource, request, "Key %s has its new tags.", c.Key)
}

type keyUntagCmd struct {
	Key   keyID    `arg:"" help:"The key's id or ARN."`
	Names []string `arg:"" name:"name" help:"The names of the tags to take away."`
	requestFlags
}

// Run takes tags away from the key.
func (c *keyUntagCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.UntagResourceRequest{KeyId: c.Key.id(), TagKeys: c.Names}
	return change(ctx, p, c.requestFlags, kms.UntagResource, request, "Key %s does not have these tags any more.", c.Key)
}

type keyTagsCmd struct {
	Key keyID `arg:"" help:"The key's id or ARN."`
	requestFlags
}

// Run prints all tags of the key.
func (c *keyTagsCmd) Run(ctx context.Context, p *Process) error {
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		tags, err := listTags(ctx, client, c.Key)
		if err != nil {
			return err
		}
		all := &kmsv1.ListResourceTagsResponse{Tags: tags, Truncated: new(bool)}
		return c.print(p, all, func(w io.Writer) error {
			rows := make([][]string, len(tags))
			for i, t := range tags {
				rows[i] = []string{t.GetTagKey(), t.GetTagValue()}
			}
			return present.Table(w, []string{"NAME", "VALUE"}, rows)
		})
	})
}

func listTags(ctx context.Context, client *connect.Client, key keyID) (all []*kmsv1.Tag, err error) {
	err = pages(func(marker *string) (page, error) {
		answer, err := client.KMS.ListResourceTags(ctx, &kmsv1.ListResourceTagsRequest{KeyId: key.id(), Marker: marker})
		all = append(all, answer.GetTags()...)
		return answer, err
	})
	return all, err
}
