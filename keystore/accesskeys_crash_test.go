package keystore

import (
	"context"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// addAccessKey gives a principal an access key, and returns it with its secret.
func (s *service) addAccessKey(principal string) (id, secret string) {
	s.t.Helper()
	res, err := s.Operator().CreateAccessKey(s.as(admin), &operatorv1.CreateAccessKeyRequest{Principal: &principal})
	s.must(err)
	return res.GetAccessKey().GetAccessKeyId(), res.GetSecretAccessKey()
}

func (s *service) deleteAccessKey(ctx context.Context, id string) error {
	_, err := s.Operator().DeleteAccessKey(ctx, &operatorv1.DeleteAccessKeyRequest{AccessKeyId: &id})
	return err
}

// onlyAccessKey is the id of the access key that there is.
func (s *service) onlyAccessKey() string {
	return s.directory.snapshot().accessKeysOf("")[0].record.GetAccessKeyId()
}

// accessKeyOperations change access keys. That of the starting point is the only
// one, so that the sealing key comes with the first and goes with the last.
func accessKeyOperations() []operation {
	create := asksOperator(operatorv1.OperatorServiceServer.CreateAccessKey, &operatorv1.CreateAccessKeyRequest{Principal: new(app)})
	add := func(w world) { w.AccessKeys[app]++ }
	return []operation{
		{name: "CreateAccessKey", undone: noEffect, do: create, apply: add},
		{name: "CreateAccessKey", undone: undone, do: create, apply: add, when: " as the first",
			prepare: func(s *service) { s.must(s.deleteAccessKey(s.as(admin), s.onlyAccessKey())) },
			from:    func(w world) { delete(w.AccessKeys, app) }},
		{name: "DeleteAccessKey", undone: noEffect,
			do:    func(s *service, ctx context.Context) error { return s.deleteAccessKey(ctx, s.onlyAccessKey()) },
			apply: func(w world) { delete(w.AccessKeys, app) }},
		{name: "DeleteAccessKey", undone: noEffect, when: " beside another",
			prepare: func(s *service) { s.addAccessKey(admin) },
			from:    func(w world) { w.AccessKeys[admin]++ },
			do: func(s *service, ctx context.Context) error {
				return s.deleteAccessKey(ctx, s.directory.snapshot().accessKeysOf(admin)[0].record.GetAccessKeyId())
			},
			apply: func(w world) { delete(w.AccessKeys, admin) }},
	}
}
