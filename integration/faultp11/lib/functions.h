/*
 * Every function of PKCS#11 2.40 in the order of CK_FUNCTION_LIST, with what
 * its arguments are: S a slot, s a session, o an object, m a mechanism,
 * P where the handle of a new object goes, - anything else.
 */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#define FUNCTIONS(X) \
	X(Initialize, "-") \
	X(Finalize, "-") \
	X(GetInfo, "-") \
	X(GetFunctionList, "-") \
	X(GetSlotList, "---") \
	X(GetSlotInfo, "S-") \
	X(GetTokenInfo, "S-") \
	X(GetMechanismList, "S--") \
	X(GetMechanismInfo, "S--") \
	X(InitToken, "S---") \
	X(InitPIN, "s--") \
	X(SetPIN, "s----") \
	X(OpenSession, "S----") \
	X(CloseSession, "s") \
	X(CloseAllSessions, "S") \
	X(GetSessionInfo, "s-") \
	X(GetOperationState, "s--") \
	X(SetOperationState, "s--oo") \
	X(Login, "s---") \
	X(Logout, "s") \
	X(CreateObject, "s--P") \
	X(CopyObject, "so--P") \
	X(DestroyObject, "so") \
	X(GetObjectSize, "so-") \
	X(GetAttributeValue, "so--") \
	X(SetAttributeValue, "so--") \
	X(FindObjectsInit, "s--") \
	X(FindObjects, "s---") \
	X(FindObjectsFinal, "s") \
	X(EncryptInit, "smo") \
	X(Encrypt, "s----") \
	X(EncryptUpdate, "s----") \
	X(EncryptFinal, "s--") \
	X(DecryptInit, "smo") \
	X(Decrypt, "s----") \
	X(DecryptUpdate, "s----") \
	X(DecryptFinal, "s--") \
	X(DigestInit, "sm") \
	X(Digest, "s----") \
	X(DigestUpdate, "s--") \
	X(DigestKey, "so") \
	X(DigestFinal, "s--") \
	X(SignInit, "smo") \
	X(Sign, "s----") \
	X(SignUpdate, "s--") \
	X(SignFinal, "s--") \
	X(SignRecoverInit, "smo") \
	X(SignRecover, "s----") \
	X(VerifyInit, "smo") \
	X(Verify, "s----") \
	X(VerifyUpdate, "s--") \
	X(VerifyFinal, "s--") \
	X(VerifyRecoverInit, "smo") \
	X(VerifyRecover, "s----") \
	X(DigestEncryptUpdate, "s----") \
	X(DecryptDigestUpdate, "s----") \
	X(SignEncryptUpdate, "s----") \
	X(DecryptVerifyUpdate, "s----") \
	X(GenerateKey, "sm--P") \
	X(GenerateKeyPair, "sm----PP") \
	X(WrapKey, "smoo--") \
	X(UnwrapKey, "smo----P") \
	X(DeriveKey, "smo--P") \
	X(SeedRandom, "s--") \
	X(GenerateRandom, "s--") \
	X(GetFunctionStatus, "s") \
	X(CancelFunction, "s") \
	X(WaitForSlotEvent, "---")

#define FUNCTION_INDEX(name, arguments) FN_##name,
enum { FUNCTIONS(FUNCTION_INDEX) FUNCTION_COUNT };

#endif
