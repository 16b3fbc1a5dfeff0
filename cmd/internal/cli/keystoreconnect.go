package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type keyStoreConnectCmd struct {
	Store keyStoreID `arg:"" help:"The key store's id."`
	Wait  bool       `help:"Wait until it is connected, --timeout at most, or until that has failed."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*keyStoreConnectCmd) Help() string {
	return `The server logs in with the key store's password once and does not try again by itself: HSMs
lock a user after a few wrong passwords. key-store describe shows what came of it. With
--wait the exit status is 3 when the connection failed, since somebody has to act, and 1 when
it is not known within --timeout.

Example:

    strongroom key-store connect --wait --timeout 2m $STORE`
}

// Run connects the key store.
func (c *keyStoreConnectCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.ConnectCustomKeyStoreRequest{CustomKeyStoreId: c.Store.id()}
	if !c.Wait {
		return change(ctx, p, c.requestFlags, kms.ConnectCustomKeyStore, request,
			"Key store %s is being connected; `strongroom key-store describe %[1]s` shows what came of it.", c.Store)
	}
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		if _, err := client.KMS.ConnectCustomKeyStore(ctx, request); err != nil {
			return err
		}
		answer, err := c.outcome(ctx, client)
		if err != nil {
			return err
		}
		return c.print(p, answer, func(w io.Writer) error { return showKeyStores(w, answer) })
	})
}

// connectionPoll is how often a connection that is being made is looked at.
const connectionPoll = 200 * time.Millisecond

// outcome waits for the connection, whose failure is an error.
func (c *keyStoreConnectCmd) outcome(ctx context.Context, client *connect.Client) (*kmsv1.DescribeCustomKeyStoresResponse, error) {
	tick := time.NewTicker(connectionPoll)
	defer tick.Stop()
	for {
		answer, err := client.KMS.DescribeCustomKeyStores(ctx, &kmsv1.DescribeCustomKeyStoresRequest{CustomKeyStoreId: c.Store.id()})
		if err != nil {
			return nil, err
		}
		if done, err := connected(answer.GetCustomKeyStores()); done {
			return answer, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("key store %s is still being connected: %w", c.Store, context.Cause(ctx))
		}
	}
}

// connected says whether the connection of a key store, the only one of an answer,
// has come to its end, and whether that is a bad one.
func connected(stores []*kmsv1.CustomKeyStoresListEntry) (done bool, err error) {
	if len(stores) != 1 {
		return true, fmt.Errorf("the server describes %d key stores in place of one", len(stores))
	}
	switch s := stores[0]; s.GetConnectionState() {
	case kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_CONNECTING:
		return false, nil
	case kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_CONNECTED:
		return true, nil
	case kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_FAILED:
		code := s.GetConnectionErrorCode()
		return true, operatorError(fmt.Sprintf("%s: %s", present.Enum(code), connectionAdvice(code)))
	default:
		return true, fmt.Errorf("somebody disconnects the key store: it is %s", present.Enum(s.GetConnectionState()))
	}
}

// connectionAdvice says what a failed connection means, and what to do. A key
// store in state FAILED has to be disconnected before anything else.
func connectionAdvice(code kmsv1.ConnectionErrorCodeType) string {
	const again = "then key-store disconnect, and key-store connect once more"
	switch code {
	case kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INVALID_CREDENTIALS:
		return "the HSMs refuse the password; key-store disconnect, key-store update --password-file with the right one, and connect. HSMs lock a user after a few wrong passwords: do not guess"
	case kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_USER_LOCKED_OUT:
		return "the HSMs have locked the user; have its password set anew by their administrator; then key-store disconnect, key-store update --password-file, and connect"
	case kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_USER_NOT_FOUND:
		return "the HSMs do not have the user; have it made by their administrator, in AWS CloudHSM a crypto user kmsuser; then key-store disconnect, key-store update --password-file, and connect"
	case kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_USER_LOGGED_IN:
		return "somebody else is logged in as the key store's user; end that, " + again
	case kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_CLUSTER_NOT_FOUND:
		return "the cluster is not found: see the clusters of the server's configuration and their tokens; " + again
	case kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INSUFFICIENT_CLOUDHSM_HSMS:
		return "too few HSMs of the cluster are active; start what is missing, " + again
	case kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_NETWORK_ERRORS:
		return "the HSMs cannot be reached; repair the network, " + again
	default:
		return "the server's log says why; " + again
	}
}

type keyStoreDisconnectCmd struct {
	Store keyStoreID `arg:"" help:"The key store's id."`
	requestFlags
}

// Run disconnects the key store.
func (c *keyStoreDisconnectCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.DisconnectCustomKeyStoreRequest{CustomKeyStoreId: c.Store.id()}
	return change(ctx, p, c.requestFlags, kms.DisconnectCustomKeyStore, request,
		"Key store %s is being disconnected: its keys cannot be used until `strongroom key-store connect`.", c.Store)
}
