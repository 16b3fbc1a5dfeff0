package keystore

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore/blob"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// admit says whether the request may go on: it is from somebody, well formed,
// allowed, and for something that exists.
func (r *request) admit(find finder) error {
	if r.caller.Principal == "" {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_UNRECOGNIZED_CLIENT, "The credentials in the request are not those of a known principal.")
	}
	if err := validate(r.method, r.input); err != nil {
		return err
	}
	r.valid = true
	if err := refuseUnsupported(r.input); err != nil {
		return err
	}
	if err := r.k.fresh(); err != nil {
		return err
	}
	return r.find(find)
}

// find finds the targets, and says whether the caller may act on them and they
// can be acted on.
func (r *request) find(find finder) error {
	if find != nil {
		r.targets = find()
	}
	if err := r.authorize(); err != nil {
		return err
	}
	for _, t := range r.targets {
		if t.err != nil {
			return t.err
		}
	}
	return nil
}

// hold waits until nobody else changes the targets, and finds them again, since
// they may have changed meanwhile: an alias may be that of another key.
func (r *request) hold(ctx context.Context, find finder) error {
	for {
		paths := pathsOf(r.targets)
		held, err := r.k.changes.begin(ctx, paths...)
		if errors.Is(err, errParked) {
			return errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL,
				"An earlier change of the same was cut off, and is settled when its HSM is available again. Try again then.").because(err)
		}
		if err != nil {
			return outOfTime(ctx, "The change of the same key or alias that came before").because(err)
		}
		r.held = held
		if err := r.find(find); err != nil {
			return err
		}
		if slices.Equal(paths, pathsOf(r.targets)) {
			return nil
		}
		held.end()
	}
}

// pathsOf returns where the targets stand in the metadata, each path once.
func pathsOf(targets []target) []string {
	var paths []string
	for _, t := range targets {
		if !slices.Contains(paths, t.path) {
			paths = append(paths, t.path)
		}
	}
	return paths
}

// validate checks a request against the limits of its description, and its
// encryption contexts, whose size AWS does not describe.
func validate(m *describe.Method, req proto.Message) error {
	if err := m.Request.Validate(req); err != nil {
		return &Error{Kind: m.ValidationError, Message: err.Error()}
	}
	return checkContexts(req)
}

// checkContexts checks the size of every encryption context of a request.
func checkContexts(req proto.Message) error {
	switch r := req.(type) {
	case interface{ GetEncryptionContext() map[string]string }:
		return checkContext("encryptionContext", r.GetEncryptionContext())
	case interface {
		GetSourceEncryptionContext() map[string]string
		GetDestinationEncryptionContext() map[string]string
	}:
		if err := checkContext("sourceEncryptionContext", r.GetSourceEncryptionContext()); err != nil {
			return err
		}
		return checkContext("destinationEncryptionContext", r.GetDestinationEncryptionContext())
	}
	return nil
}

func checkContext(member string, encryptionContext map[string]string) error {
	if err := blob.CheckContext(encryptionContext); err != nil {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION,
			"1 validation error detected: Value at '%s' failed to satisfy constraint: %v", member, err)
	}
	return nil
}

// fresh refuses to answer from metadata that may be out of date: a key may have
// been disabled since, or a principal deleted.
func (k *Keystore) fresh() error {
	if err := cmp.Or(k.view.healthy(), k.directory.healthy()); err != nil {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE, "The key metadata is not up to date.").because(err)
	}
	return nil
}
