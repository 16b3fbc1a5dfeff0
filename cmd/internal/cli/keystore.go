package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type keyStoreCmd struct {
	Create     keyStoreCreateCmd     `cmd:"" help:"Make a key store of an HSM cluster."`
	List       keyStoreListCmd       `cmd:"" help:"List the custom key stores."`
	Describe   keyStoreDescribeCmd   `cmd:"" help:"Describe a key store and its connection."`
	Connect    keyStoreConnectCmd    `cmd:"" help:"Log in to a key store's HSMs, so that its keys can be used."`
	Disconnect keyStoreDisconnectCmd `cmd:"" help:"Log out; the key store's keys cannot be used then."`
	Update     keyStoreUpdateCmd     `cmd:"" help:"Change a key store's name, password or cluster."`
	Delete     keyStoreDeleteCmd     `cmd:"" help:"Remove a key store without keys; its cluster stays."`
}

// keyStorePrefix begins the id of every custom key store.
const keyStorePrefix = "cks-"

// keyStoreID is a flag or argument that names a custom key store.
type keyStoreID string

// UnmarshalText is part of encoding.TextUnmarshaler.
func (s *keyStoreID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("is empty: it needs the id of a key store, which `strongroom key-store list` shows")
	}
	*s = keyStoreID(text)
	return nil
}

// id returns the field of a request.
func (s keyStoreID) id() *string { return given(string(s)) }

type keyStoreListCmd struct {
	requestFlags
}

// Run prints all key stores, however many pages they take.
func (c *keyStoreListCmd) Run(ctx context.Context, p *Process) error {
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		stores, err := listKeyStores(ctx, client)
		if err != nil {
			return err
		}
		all := &kmsv1.DescribeCustomKeyStoresResponse{CustomKeyStores: stores, Truncated: new(bool)}
		return c.print(p, all, func(w io.Writer) error {
			rows := make([][]string, len(stores))
			for i, s := range stores {
				rows[i] = []string{s.GetCustomKeyStoreId(), s.GetCustomKeyStoreName(), s.GetCloudHsmClusterId(), keyStoreState(s)}
			}
			return present.Table(w, []string{"KEY STORE ID", "NAME", "CLUSTER", "STATE"}, rows)
		})
	})
}

func listKeyStores(ctx context.Context, client *connect.Client) (all []*kmsv1.CustomKeyStoresListEntry, err error) {
	err = pages(func(marker *string) (page, error) {
		answer, err := client.KMS.DescribeCustomKeyStores(ctx, &kmsv1.DescribeCustomKeyStoresRequest{Limit: new(int32(100)), Marker: marker})
		all = append(all, answer.GetCustomKeyStores()...)
		return answer, err
	})
	return all, err
}

// keyStoreState is the state and, of a connection that failed, why.
func keyStoreState(s *kmsv1.CustomKeyStoresListEntry) string {
	return words(present.Enum(s.GetConnectionState()), present.Enum(s.GetConnectionErrorCode()))
}

type keyStoreDescribeCmd struct {
	Store keyStoreID `arg:"" help:"The key store's id, which begins with cks-, or its name."`
	requestFlags
}

// Run prints the key store.
func (c *keyStoreDescribeCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.DescribeCustomKeyStoresRequest{CustomKeyStoreName: c.Store.id()}
	if strings.HasPrefix(string(c.Store), keyStorePrefix) {
		request = &kmsv1.DescribeCustomKeyStoresRequest{CustomKeyStoreId: c.Store.id()}
	}
	return ask(ctx, p, c.requestFlags, kms.DescribeCustomKeyStores, request, showKeyStores)
}

// showKeyStores prints an answer about one key store.
func showKeyStores(w io.Writer, r *kmsv1.DescribeCustomKeyStoresResponse) error {
	for _, s := range r.GetCustomKeyStores() {
		err := present.Fields(w, []present.Field{
			{Name: "Key store", Value: s.GetCustomKeyStoreId()},
			{Name: "Name", Value: s.GetCustomKeyStoreName()},
			{Name: "Cluster", Value: s.GetCloudHsmClusterId()},
			{Name: "State", Value: keyStoreState(s)},
			{Name: "Created", Value: present.Time(s.GetCreationDate())},
		})
		if err != nil {
			return err
		}
		if err := showConnectionAdvice(w, s); err != nil {
			return err
		}
	}
	return nil
}

func showConnectionAdvice(w io.Writer, s *kmsv1.CustomKeyStoresListEntry) error {
	if s.GetConnectionState() != kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_FAILED {
		return nil
	}
	_, err := fmt.Fprintf(w, "\nThe last connection failed: %s.\n", connectionAdvice(s.GetConnectionErrorCode()))
	return err
}
