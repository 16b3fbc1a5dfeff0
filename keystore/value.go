package keystore

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// valueVersion is the first byte of every metadata value.
const valueVersion = 1

// encodeValue makes a metadata value: the version byte, then the message.
func encodeValue(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend([]byte{valueVersion}, m)
}

// decodeValue reads a metadata value of a version that this binary knows.
func decodeValue(value []byte, m proto.Message) error {
	if len(value) == 0 {
		return fmt.Errorf("the value is empty")
	}
	if value[0] != valueVersion {
		return fmt.Errorf("the value has format version %d, and this binary knows only %d: a newer strongroom wrote it", value[0], valueVersion)
	}
	return proto.Unmarshal(value[1:], m)
}

// readValue reads the message at a path and returns the revision it is from.
// Where there is none the message stays empty and the revision is 0.
func readValue(ctx context.Context, store metadata.Store, path string, m proto.Message) (revision uint64, err error) {
	e, err := store.Get(ctx, path)
	if errors.Is(err, metadata.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if err := decodeValue(e.Value, m); err != nil {
		return 0, fmt.Errorf("%s: %w", e.Key, err)
	}
	return e.Revision, nil
}

// replaceValue writes the message at a path if what is there is still of a
// revision, 0 if nothing is, and returns the new revision.
func replaceValue(ctx context.Context, store metadata.Store, path string, m proto.Message, revision uint64) (uint64, error) {
	value, err := encodeValue(m)
	if err != nil {
		return 0, fmt.Errorf("encoding %s: %w", path, err)
	}
	return store.Commit(ctx, metadata.Txn{
		Conditions: []metadata.Condition{{Key: path, Revision: revision}},
		Puts:       []metadata.KeyValue{{Key: path, Value: value}},
	})
}
