/*
 * The part of PKCS#11 2.40 that this library looks at: types and numbers with
 * the standard's names, unpacked as on every Unix.
 */
#ifndef CRYPTOKI_H
#define CRYPTOKI_H

typedef unsigned long ck_ulong;
typedef unsigned char ck_byte;

struct ck_mechanism {
	ck_ulong mechanism;
	void *parameter;
	ck_ulong parameter_length;
};

struct ck_attribute {
	ck_ulong type;
	void *value;
	ck_ulong length;
};

/* CK_GCM_PARAMS */
struct ck_gcm_params {
	ck_byte *iv;
	ck_ulong iv_length;
	ck_ulong iv_bits;
	ck_byte *aad;
	ck_ulong aad_length;
	ck_ulong tag_bits;
};

/* CK_RSA_PKCS_OAEP_PARAMS */
struct ck_oaep_params {
	ck_ulong hash;
	ck_ulong mgf;
	ck_ulong source;
	void *label;
	ck_ulong label_length;
};

/* CK_ECDH1_DERIVE_PARAMS */
struct ck_ecdh_params {
	ck_ulong kdf;
	ck_ulong shared_length;
	ck_byte *shared;
	ck_ulong public_length;
	ck_byte *public;
};

struct ck_version {
	ck_byte major, minor;
};

/* CK_SLOT_INFO */
struct ck_slot_info {
	ck_byte description[64];
	ck_byte manufacturer[32];
	ck_ulong flags;
	struct ck_version hardware, firmware;
};

/* CK_TOKEN_INFO */
struct ck_token_info {
	ck_byte label[32];
	ck_byte manufacturer[32];
	ck_byte model[16];
	ck_byte serial[16];
	ck_ulong flags;
	ck_ulong max_sessions, sessions, max_rw_sessions, rw_sessions;
	ck_ulong max_pin, min_pin;
	ck_ulong total_public, free_public, total_private, free_private;
	struct ck_version hardware, firmware;
	ck_byte time[16];
};

/* CK_SESSION_INFO */
struct ck_session_info {
	ck_ulong slot;
	ck_ulong state;
	ck_ulong flags;
	ck_ulong error;
};

enum {
	CKR_OK = 0x000,
	CKR_SLOT_ID_INVALID = 0x003,
	CKR_GENERAL_ERROR = 0x005,
	CKR_FUNCTION_FAILED = 0x006,
	CKR_ARGUMENTS_BAD = 0x007,
	CKR_ATTRIBUTE_READ_ONLY = 0x010,
	CKR_ATTRIBUTE_TYPE_INVALID = 0x012,
	CKR_ATTRIBUTE_VALUE_INVALID = 0x013,
	CKR_DATA_LEN_RANGE = 0x021,
	CKR_DEVICE_REMOVED = 0x032,
	CKR_ENCRYPTED_DATA_LEN_RANGE = 0x041,
	CKR_FUNCTION_NOT_SUPPORTED = 0x054,
	CKR_KEY_SIZE_RANGE = 0x062,
	CKR_MECHANISM_INVALID = 0x070,
	CKR_MECHANISM_PARAM_INVALID = 0x071,
	CKR_OBJECT_HANDLE_INVALID = 0x082,
	CKR_OPERATION_ACTIVE = 0x090,
	CKR_PIN_INCORRECT = 0x0a0,
	CKR_PIN_LEN_RANGE = 0x0a2,
	CKR_PIN_LOCKED = 0x0a4,
	CKR_SESSION_COUNT = 0x0b1,
	CKR_SESSION_HANDLE_INVALID = 0x0b3,
	CKR_TEMPLATE_INCOMPLETE = 0x0d0,
	CKR_TEMPLATE_INCONSISTENT = 0x0d1,
	CKR_TOKEN_NOT_PRESENT = 0x0e0,
	CKR_TOKEN_NOT_RECOGNIZED = 0x0e1,
	CKR_USER_NOT_LOGGED_IN = 0x101,
	CKR_BUFFER_TOO_SMALL = 0x150,
	CKR_CRYPTOKI_NOT_INITIALIZED = 0x190,
};

enum {
	CKF_TOKEN_PRESENT = 0x1,
	CKF_RW_SESSION = 0x2,
	CKF_TOKEN_INITIALIZED = 0x400,
	CKF_USER_PIN_COUNT_LOW = 0x10000,
	CKF_USER_PIN_FINAL_TRY = 0x20000,
	CKF_USER_PIN_LOCKED = 0x40000,
	CKU_USER = 1,
	CKS_RW_PUBLIC_SESSION = 2,
	CKM_AES_GCM = 0x1087,
};

#endif
