package keystore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// tagsOf makes tags of keys and values in turn.
func tagsOf(pairs ...string) []*kmsv1.Tag {
	var tags []*kmsv1.Tag
	for pair := range slices.Chunk(pairs, 2) {
		tags = append(tags, &kmsv1.Tag{TagKey: &pair[0], TagValue: &pair[1]})
	}
	return tags
}

// numberedTags makes n tags whose keys begin with a word.
func numberedTags(word string, n int) []*kmsv1.Tag {
	var tags []*kmsv1.Tag
	for i := range n {
		tags = append(tags, tagsOf(fmt.Sprintf("%s-%02d", word, i), "v")...)
	}
	return tags
}

func (s *service) tag(id *string, tags ...*kmsv1.Tag) error {
	_, err := s.TagResource(s.as(admin), &kmsv1.TagResourceRequest{KeyId: id, Tags: tags})
	return err
}

func (s *service) untag(id *string, keys ...string) error {
	_, err := s.UntagResource(s.as(admin), &kmsv1.UntagResourceRequest{KeyId: id, TagKeys: keys})
	return err
}

// tags lists the tags of a key, some at a time, and calls between, which may be
// nil, after each page.
func (s *service) tags(id *string, limit int32, between func()) (keys []string, values map[string]string) {
	s.t.Helper()
	values = map[string]string{}
	req := &kmsv1.ListResourceTagsRequest{KeyId: id, Limit: &limit}
	for {
		res, err := s.ListResourceTags(s.as(admin), req)
		s.must(err)
		for _, t := range res.GetTags() {
			keys = append(keys, t.GetTagKey())
			values[t.GetTagKey()] = t.GetTagValue()
		}
		if !res.GetTruncated() {
			return keys, values
		}
		if between != nil {
			between()
		}
		req.Marker = res.NextMarker
	}
}

func TestTagsAreGivenChangedAndTaken(t *testing.T) {
	t.Parallel()
	s := startService(t)
	id := s.createKey().KeyId
	for _, step := range []struct {
		name string
		do   func() error
		want map[string]string
	}{
		{"the first ones", func() error { return s.tag(id, tagsOf("Team", "payroll", "cost center", "")...) },
			map[string]string{"Team": "payroll", "cost center": ""}},
		{"another value, and a key that differs in case", func() error { return s.tag(id, tagsOf("Team", "größe + =1.5_:/@-", "team", "x")...) },
			map[string]string{"Team": "größe + =1.5_:/@-", "cost center": "", "team": "x"}},
		{"some are taken", func() error { return s.untag(id, "Team", "nobody has it") },
			map[string]string{"cost center": "", "team": "x"}},
	} {
		s.must(step.do())
		if e := s.lastEvent(); e.ResponseElements["keyId"] != s.scope.arn("key/"+*id) {
			t.Errorf("%s: the event is %+v", step.name, e)
		}
		if _, got := s.tags(id, 50, nil); !maps.Equal(got, step.want) {
			t.Errorf("%s: the tags are %v, want %v", step.name, got, step.want)
		}
	}
	s.schedule(id)
	if keys, _ := s.tags(id, 50, nil); len(keys) != 2 {
		t.Errorf("the tags of a key that is to be deleted are %v", keys)
	}
}

func TestAPageOfTagsFollowsTheOneBeforeWhileTagsComeAndGo(t *testing.T) {
	t.Parallel()
	s := startService(t)
	id := s.createKey().KeyId
	s.must(s.tag(id, numberedTags("kept", 20)...))
	n := 0
	keys, _ := s.tags(id, 3, func() {
		n++
		s.must(s.tag(id, tagsOf(fmt.Sprint("also", n), "v")...))
		s.must(s.untag(id, fmt.Sprint("also", n-1)))
	})
	var kept []string
	for _, k := range keys {
		if strings.HasPrefix(k, "kept") {
			kept = append(kept, k)
		}
	}
	var want []string
	for _, tag := range numberedTags("kept", 20) {
		want = append(want, tag.GetTagKey())
	}
	if diff := cmp.Diff(want, kept); diff != "" || !slices.IsSorted(keys) {
		t.Errorf("the pages have %v (-want +got):\n%s", keys, diff)
	}
	if whole, err := s.ListResourceTags(s.as(admin), &kmsv1.ListResourceTagsRequest{KeyId: id}); err != nil || len(whole.GetTags()) != 21 || whole.GetTruncated() {
		t.Errorf("without a limit: %v, %v", whole, err)
	}
}

// TestTagRefusals is the table of what the operations on tags refuse.
func TestTagRefusals(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key, doomed, full := s.createKey(), s.createKey(), s.createKey()
	s.must(s.createAlias("alias/tagged", key.KeyId))
	s.must(s.tag(full.KeyId, numberedTags("tag", 50)...))
	s.must(s.tag(full.KeyId, tagsOf("tag-07", "another value")...))
	s.schedule(doomed.KeyId)
	tag := func(id *string, tags ...*kmsv1.Tag) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.TagResource(ctx, &kmsv1.TagResourceRequest{KeyId: id, Tags: tags})
			return err
		}
	}
	untag := func(id *string, keys ...string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.UntagResource(ctx, &kmsv1.UntagResourceRequest{KeyId: id, TagKeys: keys})
			return err
		}
	}
	list := func(id *string, limit int32, marker *string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.ListResourceTags(ctx, &kmsv1.ListResourceTagsRequest{KeyId: id, Limit: &limit, Marker: marker})
			return err
		}
	}
	pending := doomed.GetArn() + " is pending deletion."
	unknown := new("12345678-1234-1234-1234-123456789012")
	long := func(n int) string { return strings.Repeat("k", n) }
	s.checkRefusals(t, []refusal{
		{"a user tags", app, tag(key.KeyId, tagsOf("k", "v")...), "ACCESS_DENIED", "kms:TagResource on resource: " + key.GetArn()},
		{"nothing to tag with", admin, tag(key.KeyId), "VALIDATION", "Value null at 'tags' failed to satisfy constraint: Member must not be null"},
		{"a key of 129 characters", admin, tag(key.KeyId, tagsOf(long(129), "v")...), "VALIDATION", "Member must have length less than or equal to 128"},
		{"a value of 257 characters", admin, tag(key.KeyId, tagsOf("k", long(257))...), "VALIDATION", "Member must have length less than or equal to 256"},
		{"an empty key", admin, tag(key.KeyId, tagsOf("", "v")...), "VALIDATION", "Member must have length greater than or equal to 1"},
		{"an unknown key", admin, tag(unknown, tagsOf("k", "v")...), "NOT_FOUND", *unknown},
		{"an alias", admin, tag(new("alias/tagged"), tagsOf("k", "v")...), "NOT_FOUND", "Invalid keyId 'alias/tagged'"},
		{"the same tag twice", admin, tag(key.KeyId, tagsOf("k", "1", "l", "2", "k", "3")...), "TAG", "Duplicate tag keys"},
		{"a reserved tag", admin, tag(key.KeyId, tagsOf("AWS:owner", "v")...), "TAG", "Tags beginning with aws: are reserved"},
		{"a key with a tabulator", admin, tag(key.KeyId, tagsOf("a\tb", "v")...), "TAG", "The tag key 'a\tb' has characters that a tag cannot have."},
		{"a value with a star", admin, tag(key.KeyId, tagsOf("k", "*")...), "TAG", "The value of the tag 'k' has characters"},
		{"51 tags at once", admin, tag(key.KeyId, numberedTags("tag", 51)...), "TAG", "Too many tags"},
		{"the 51st tag", admin, tag(full.KeyId, tagsOf("one more", "v")...), "LIMIT_EXCEEDED", "Key " + full.GetArn() + " would have 51 tags, and may not have more than 50."},
		{"tagging before the deletion", admin, tag(doomed.KeyId, tagsOf("k", "v")...), "KMS_INVALID_STATE", pending},
		{"a bad tag before the deletion", admin, tag(doomed.KeyId, tagsOf("aws:k", "v")...), "TAG", "reserved"},
		{"nothing to take", admin, untag(key.KeyId), "VALIDATION", "Value null at 'tagKeys' failed to satisfy constraint: Member must not be null"},
		{"taking a reserved tag", admin, untag(key.KeyId, "aws:k"), "TAG", "Tags beginning with aws: are reserved"},
		{"untagging before the deletion", admin, untag(doomed.KeyId, "k"), "KMS_INVALID_STATE", pending},
		{"a user untags", app, untag(key.KeyId, "k"), "ACCESS_DENIED", "kms:UntagResource on resource: " + key.GetArn()},
		{"a page of 51", admin, list(key.KeyId, 51, nil), "VALIDATION", "Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50"},
		{"a page of none", admin, list(key.KeyId, 0, nil), "VALIDATION", "Value '0' at 'limit'"},
		{"a marker of nobody", admin, list(key.KeyId, 5, new("#")), "INVALID_MARKER", "Marker '#' is not one that ListResourceTags answered."},
		{"the tags of an unknown key", admin, list(unknown, 5, nil), "NOT_FOUND", *unknown},
	})
}
