package cli

import (
	"context"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type keyStoreUpdateCmd struct {
	Store        keyStoreID `arg:"" help:"The key store's id."`
	Name         string     `placeholder:"NAME" help:"Its new name."`
	PasswordFile string     `placeholder:"FILE" help:"The file with its present password, when that was changed in the HSMs; - is standard input."`
	Cluster      string     `placeholder:"CLUSTER" help:"The id of a cluster with the same trust anchor, such as one restored from a backup."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*keyStoreUpdateCmd) Help() string {
	return `A key store is disconnected before it gets another password or cluster. The password in the
HSMs is not changed: do that by their own tools first.

Examples:

    strongroom key-store update $STORE --name payroll-2027
    strongroom key-store update $STORE --password-file kmsuser-password`
}

// Run changes the key store.
func (c *keyStoreUpdateCmd) Run(ctx context.Context, p *Process) error {
	if c.Name == "" && c.PasswordFile == "" && c.Cluster == "" {
		return usagef("needs --name, --password-file or --cluster")
	}
	request := &kmsv1.UpdateCustomKeyStoreRequest{
		CustomKeyStoreId: c.Store.id(), NewCustomKeyStoreName: given(c.Name), CloudHsmClusterId: given(c.Cluster),
	}
	if c.PasswordFile != "" {
		password, err := readPassword(p, c.PasswordFile)
		if err != nil {
			return err
		}
		request.KeyStorePassword = password
	}
	return change(ctx, p, c.requestFlags, kms.UpdateCustomKeyStore, request, "Key store %s is changed.", c.Store)
}

type keyStoreDeleteCmd struct {
	Store keyStoreID `arg:"" help:"The key store's id."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*keyStoreDeleteCmd) Help() string {
	return `The key store has to be disconnected and without keys. Its cluster, with the users and the
objects in it, stays as it is.`
}

// Run removes the key store.
func (c *keyStoreDeleteCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.DeleteCustomKeyStoreRequest{CustomKeyStoreId: c.Store.id()}
	return change(ctx, p, c.requestFlags, kms.DeleteCustomKeyStore, request, "Key store %s is removed; its cluster is as it was.", c.Store)
}
