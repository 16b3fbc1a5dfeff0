package console

import (
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// advice is what something means, and what to do about it.
type advice struct{ Means, Do string }

// adviceOn says what the state of a custom key store means.
func adviceOn(s *kmsv1.CustomKeyStoresListEntry) advice {
	if s.GetConnectionState() == kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_FAILED {
		return adviceOnConnectionError(s.GetConnectionErrorCode())
	}
	switch s.GetConnectionState() { //nolint:exhaustive // FAILED is above
	case kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_CONNECTED:
		return advice{Means: "Its keys can be made and used."}
	case kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_CONNECTING:
		return advice{"The service is logging in to the cluster's HSMs. After a restart it waits for a cluster that does not answer.", "Wait, five minutes at most for a connection that somebody has asked for. The server's log has what it waits for."}
	case kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_DISCONNECTING:
		return advice{"Requests under way are being answered; new ones are refused.", "Wait until it is DISCONNECTED."}
	case kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_DISCONNECTED:
		return advice{"It was never connected, or somebody has disconnected it. Its keys are unavailable meanwhile.", "If its keys are needed: strongroom key-store connect --wait."}
	}
	return advice{}
}

// again ends the advice on errors that are put right outside.
const again = " Then disconnect the store and connect it again: a failed store is not connected by itself."

// adviceOnConnectionError says why a key store could not be connected. The codes that this
// service never gives are of AWS's networks, and of external key stores.
func adviceOnConnectionError(code kmsv1.ConnectionErrorCodeType) advice {
	switch code { //nolint:exhaustive // the others are never given
	case kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INVALID_CREDENTIALS:
		return advice{"The cluster refuses the password that the store has for its crypto user, or that password has expired.", "Do not guess: a few wrong logins lock the user. Disconnect the store, tell it the right password by strongroom key-store update --password-file, and connect it again. If the password was set in the cluster, so that the store's is right now: strongroom hsm unlock-check --custom-key-store-id first."}
	case kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_USER_LOCKED_OUT:
		return advice{"The crypto user is locked after too many wrong passwords, or the next wrong one would lock it, so that none was tried.", "Have an administrator of the cluster set the user's password anew, and tell it to the store: strongroom key-store update --password-file." + again}
	case kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_USER_NOT_FOUND:
		return advice{"The cluster has no crypto user for the store.", "Have an administrator of the cluster make it: kmsuser in AWS CloudHSM, the user PIN of another token. Tell its password to the store." + again}
	case kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_USER_LOGGED_IN:
		return advice{"The crypto user is logged in to the cluster elsewhere, which its other sessions keep the service out of.", "End that session: log the user out of the cluster's command line tool." + again}
	case kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_CLUSTER_NOT_FOUND:
		return advice{"There is no such cluster: the configuration does not name it, or the PKCS#11 library shows no such token.", "Compare clusters in the configuration with the tokens that the library shows. After a change restart the server." + again}
	case kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INSUFFICIENT_CLOUDHSM_HSMS:
		return advice{"Fewer HSMs of the cluster are active than min_active_hsms asks for.", "See the server's log for those that did not come up, and why; repair them, or add HSMs to the cluster." + again}
	case kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_NETWORK_ERRORS:
		return advice{"The cluster could not be reached: the PKCS#11 library does not answer, or says that the device is away.", "Check the network between this host and the HSMs, the library's own log, and library and env in the configuration." + again}
	case kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INTERNAL_ERROR:
		return advice{"Something else went wrong; one cause is that the default HSM could not unseal the store's password.", "See the server's log, and whether the default HSM takes requests." + again}
	}
	return advice{"The connection failed.", "See the server's log." + again}
}

// adviceOnHSM says what the state of an HSM means.
func adviceOnHSM(h *operatorv1.HsmDescription) advice {
	switch h.GetState() { //nolint:exhaustive // an unknown state means nothing
	case operatorv1.HsmState_HSM_STATE_READY:
		return advice{Means: "It takes requests.", Do: ""}
	case operatorv1.HsmState_HSM_STATE_STARTING:
		return advice{"Its worker process is starting, or being started again after a fault.", "Wait some seconds. If it stays so, the reason says what the PKCS#11 library answers, and the server's log has more."}
	case operatorv1.HsmState_HSM_STATE_SUSPENDED:
		return advice{"It kept failing, or was taken out of service, and gets no requests. It is probed, and comes back by itself when it is well.", "See to what the reason names: the device, the network to it, the library's own log. Others of its cluster go on meanwhile."}
	case operatorv1.HsmState_HSM_STATE_STOPPED:
		return advice{"It needs an operator: it is not tried again by itself, so that wrong PINs do not lock its user.", "See to what the reason names. When a PIN was set right, or the token unlocked: strongroom hsm unlock-check --hsm-id " + h.GetHsmId() + ", which starts it again if its token allows a login."}
	}
	return advice{}
}
