package keystore

import (
	"context"
	"encoding/base64"

	"github.com/google/uuid"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// defaultPage and maxPage are how many items lists answer that have no bounds of
// their own.
const (
	defaultPage = 100
	maxPage     = 1000
)

// ListKeys lists the keys of the account and Region in the order of their ids.
func (k *Keystore) ListKeys(ctx context.Context, req *kmsv1.ListKeysRequest) (*kmsv1.ListKeysResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_ListKeys_FullMethodName, req, plan[*kmsv1.ListKeysResponse]{
		run: func(context.Context, *proof) (*kmsv1.ListKeysResponse, error) {
			after, err := decodeMarker(req.GetMarker())
			if err != nil {
				return nil, err
			}
			limit, err := pageLimit(req.Limit, defaultPage, maxPage)
			if err != nil {
				return nil, err
			}
			return listPage(k.view.page(after, limit)), nil
		},
	})
}

// pageLimit is how many items a page has: the usual number, or what the request
// asks for, which AWS's model lets be more than most lists have.
func pageLimit(asked *int32, usual, most int) (int, error) {
	switch {
	case asked == nil:
		return usual, nil
	case int(*asked) > most:
		return 0, outOfBounds("limit", *asked, "less", most)
	}
	return int(*asked), nil
}

func listPage(keys []*key, more bool) *kmsv1.ListKeysResponse {
	res := &kmsv1.ListKeysResponse{Truncated: &more}
	for _, key := range keys {
		res.Keys = append(res.Keys, &kmsv1.KeyListEntry{KeyId: key.record.KeyId, KeyArn: &key.arn})
	}
	if more {
		res.NextMarker = new(encodeMarker(keys[len(keys)-1].id))
	}
	return res
}

// A marker is the last id of the page before, in base64; clients must not look
// into it.
func encodeMarker(id uuid.UUID) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func decodeMarker(marker string) (uuid.UUID, error) {
	if marker == "" {
		return uuid.Nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(marker)
	if err != nil || len(b) != len(uuid.UUID{}) {
		return uuid.Nil, badMarker(marker, "ListKeys")
	}
	return uuid.UUID(b), nil
}

func badMarker(marker, operation string) error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_MARKER, "Marker '%s' is not one that %s answered.", marker, operation)
}
