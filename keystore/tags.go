package keystore

import (
	"cmp"
	"context"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

const (
	// maxTags is how many tags a key may have.
	maxTags = 50
	// maxTagPage is how many tags ListResourceTags answers, also when the request
	// does not say.
	maxTagPage = 50
	// reservedTags begin the keys of tags that AWS gives, in upper or lower case.
	reservedTags = "aws:"
)

// tagPattern is what tag keys and values consist of anywhere in AWS; the model
// of KMS lets everything pass.
var tagPattern = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// TagResource gives a key tags. A tag that the key has already gets another
// value.
func (k *Keystore) TagResource(ctx context.Context, req *kmsv1.TagResourceRequest) (*kmsv1.TagResourceResponse, error) {
	tags, wrong := newTags(req.GetTags())
	return changeKey(ctx, k, kmsv1.KeyManagementService_TagResource_FullMethodName, req, keyChange[*kmsv1.TagResourceResponse]{
		check: func(k *key) error {
			if wrong != nil {
				return wrong
			}
			return taggable(k, tags)
		},
		apply:  func(r *storagev1.KeyRecord) { r.Tags = mergeTags(r.Tags, tags) },
		answer: func(*key) *kmsv1.TagResourceResponse { return new(kmsv1.TagResourceResponse) },
	})
}

// UntagResource takes tags from a key. Those that it does not have are ignored.
func (k *Keystore) UntagResource(ctx context.Context, req *kmsv1.UntagResourceRequest) (*kmsv1.UntagResourceResponse, error) {
	return changeKey(ctx, k, kmsv1.KeyManagementService_UntagResource_FullMethodName, req, keyChange[*kmsv1.UntagResourceResponse]{
		check: func(k *key) error {
			if slices.ContainsFunc(req.GetTagKeys(), isReservedTag) {
				return errReservedTag()
			}
			return describable(k)
		},
		apply: func(r *storagev1.KeyRecord) {
			r.Tags = slices.DeleteFunc(r.Tags, func(t *storagev1.TagRecord) bool { return slices.Contains(req.GetTagKeys(), t.GetKey()) })
		},
		answer: func(*key) *kmsv1.UntagResourceResponse { return new(kmsv1.UntagResourceResponse) },
	})
}

// ListResourceTags lists the tags of a key in the order of their keys, whatever
// the key's state.
func (k *Keystore) ListResourceTags(ctx context.Context, req *kmsv1.ListResourceTagsRequest) (*kmsv1.ListResourceTagsResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_ListResourceTags_FullMethodName, req, plan[*kmsv1.ListResourceTagsResponse]{
		targets: on(k.byKeyID(req.GetKeyId())),
		run: func(_ context.Context, p *proof) (*kmsv1.ListResourceTagsResponse, error) {
			limit, err := pageLimit(req.Limit, maxTagPage, maxTagPage)
			if err != nil {
				return nil, err
			}
			after, err := base64.RawURLEncoding.DecodeString(req.GetMarker())
			if err != nil {
				return nil, badMarker(req.GetMarker(), "ListResourceTags")
			}
			return tagPage(p.key.record.GetTags(), string(after), limit), nil
		},
	})
}

// tagPage answers a page; its marker is the key of the last tag, in base64.
func tagPage(all []*storagev1.TagRecord, after string, limit int) *kmsv1.ListResourceTagsResponse {
	page, more := pageOf(all, &storagev1.TagRecord{Key: &after}, limit, compareTags)
	res := &kmsv1.ListResourceTagsResponse{Truncated: &more}
	for _, t := range page {
		res.Tags = append(res.Tags, &kmsv1.Tag{TagKey: t.Key, TagValue: t.Value})
	}
	if more {
		res.NextMarker = new(base64.RawURLEncoding.EncodeToString([]byte(page[len(page)-1].GetKey())))
	}
	return res
}

// newTags checks tags that a request gives to a key, and returns them sorted by
// their keys. Its errors are TagExceptions.
func newTags(tags []*kmsv1.Tag) ([]*storagev1.TagRecord, error) {
	if len(tags) > maxTags {
		return nil, tagError("Too many tags")
	}
	var made []*storagev1.TagRecord
	for _, t := range tags {
		switch {
		case isReservedTag(t.GetTagKey()):
			return nil, errReservedTag()
		case !tagPattern.MatchString(t.GetTagKey()):
			return nil, tagError("The tag key '%s' has characters that a tag cannot have.", t.GetTagKey())
		case !tagPattern.MatchString(t.GetTagValue()):
			return nil, tagError("The value of the tag '%s' has characters that a tag cannot have.", t.GetTagKey())
		}
		made = append(made, &storagev1.TagRecord{Key: new(t.GetTagKey()), Value: new(t.GetTagValue())})
	}
	slices.SortFunc(made, compareTags)
	for i := range made[:max(0, len(made)-1)] {
		if compareTags(made[i], made[i+1]) == 0 {
			return nil, tagError("Duplicate tag keys")
		}
	}
	return made, nil
}

// taggable says whether a key may get tags.
func taggable(k *key, tags []*storagev1.TagRecord) error {
	if err := describable(k); err != nil {
		return err
	}
	if n := len(mergeTags(k.record.GetTags(), tags)); n > maxTags {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED, "Key %s would have %d tags, and may not have more than %d.", k.arn, n, maxTags)
	}
	return nil
}

// mergeTags returns the tags of a key that gets others, sorted by their keys.
func mergeTags(old, others []*storagev1.TagRecord) []*storagev1.TagRecord {
	merged := slices.Clone(others)
	for _, t := range old {
		if _, replaced := slices.BinarySearchFunc(others, t, compareTags); !replaced {
			merged = append(merged, t)
		}
	}
	slices.SortFunc(merged, compareTags)
	return merged
}

func compareTags(a, b *storagev1.TagRecord) int { return cmp.Compare(a.GetKey(), b.GetKey()) }

func isReservedTag(name string) bool {
	return len(name) >= len(reservedTags) && strings.EqualFold(name[:len(reservedTags)], reservedTags)
}

func errReservedTag() error { return tagError("Tags beginning with %s are reserved", reservedTags) }

func tagError(format string, args ...any) error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_TAG, format, args...)
}
