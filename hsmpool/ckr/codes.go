package ckr

// The return codes that the table of fates or the code asks for by name.
const (
	OK                         RV = 0x000
	Cancel                     RV = 0x001
	HostMemory                 RV = 0x002
	SlotIDInvalid              RV = 0x003
	GeneralError               RV = 0x005
	FunctionFailed             RV = 0x006
	ArgumentsBad               RV = 0x007
	NeedToCreateThreads        RV = 0x009
	CantLock                   RV = 0x00a
	AttributeReadOnly          RV = 0x010
	AttributeSensitive         RV = 0x011
	AttributeTypeInvalid       RV = 0x012
	AttributeValueInvalid      RV = 0x013
	ActionProhibited           RV = 0x01b
	DataInvalid                RV = 0x020
	DataLenRange               RV = 0x021
	DeviceError                RV = 0x030
	DeviceMemory               RV = 0x031
	DeviceRemoved              RV = 0x032
	EncryptedDataInvalid       RV = 0x040
	EncryptedDataLenRange      RV = 0x041
	AEADDecryptFailed          RV = 0x042
	FunctionCanceled           RV = 0x050
	FunctionNotSupported       RV = 0x054
	KeyHandleInvalid           RV = 0x060
	KeySizeRange               RV = 0x062
	KeyTypeInconsistent        RV = 0x063
	KeyIndigestible            RV = 0x067
	KeyFunctionNotPermitted    RV = 0x068
	KeyNotWrappable            RV = 0x069
	KeyUnextractable           RV = 0x06a
	MechanismInvalid           RV = 0x070
	MechanismParamInvalid      RV = 0x071
	ObjectHandleInvalid        RV = 0x082
	OperationActive            RV = 0x090
	OperationNotInitialized    RV = 0x091
	PINIncorrect               RV = 0x0a0
	PINInvalid                 RV = 0x0a1
	PINLenRange                RV = 0x0a2
	PINExpired                 RV = 0x0a3
	PINLocked                  RV = 0x0a4
	SessionClosed              RV = 0x0b0
	SessionCount               RV = 0x0b1
	SessionHandleInvalid       RV = 0x0b3
	TemplateIncomplete         RV = 0x0d0
	TemplateInconsistent       RV = 0x0d1
	TokenNotPresent            RV = 0x0e0
	TokenNotRecognized         RV = 0x0e1
	TokenWriteProtected        RV = 0x0e2
	UnwrappingKeyHandleInvalid RV = 0x0f0
	UnwrappingKeySizeRange     RV = 0x0f1
	UnwrappingKeyInconsistent  RV = 0x0f2
	UserAlreadyLoggedIn        RV = 0x100
	UserNotLoggedIn            RV = 0x101
	UserPINNotInitialized      RV = 0x102
	WrappedKeyInvalid          RV = 0x110
	WrappedKeyLenRange         RV = 0x112
	WrappingKeyHandleInvalid   RV = 0x113
	WrappingKeySizeRange       RV = 0x114
	WrappingKeyInconsistent    RV = 0x115
	RandomNoRNG                RV = 0x121
	DomainParamsInvalid        RV = 0x130
	CurveNotSupported          RV = 0x140
	CryptokiNotInitialized     RV = 0x190
	CryptokiAlreadyInitialized RV = 0x191
	FIPSSelfTestFailed         RV = 0x1b6
	LibraryLoadFailed          RV = 0x1b7
	PublicKeyInvalid           RV = 0x1b9
	TokenResourceExceeded      RV = 0x201
	KeyExhausted               RV = 0x203
	TokenNotInitialized        RV = 0x208
)

// names are all codes of the standard, in hexadecimal, with their names without CKR_.
// Those from 0x201 on, 0x42 and 0x1b6 to 0x1b9 are of version 3.0 or later, or came with
// a mechanism.
const names = `
000 OK
001 CANCEL
002 HOST_MEMORY
003 SLOT_ID_INVALID
005 GENERAL_ERROR
006 FUNCTION_FAILED
007 ARGUMENTS_BAD
008 NO_EVENT
009 NEED_TO_CREATE_THREADS
00a CANT_LOCK
010 ATTRIBUTE_READ_ONLY
011 ATTRIBUTE_SENSITIVE
012 ATTRIBUTE_TYPE_INVALID
013 ATTRIBUTE_VALUE_INVALID
01a COPY_PROHIBITED
01b ACTION_PROHIBITED
020 DATA_INVALID
021 DATA_LEN_RANGE
030 DEVICE_ERROR
031 DEVICE_MEMORY
032 DEVICE_REMOVED
040 ENCRYPTED_DATA_INVALID
041 ENCRYPTED_DATA_LEN_RANGE
042 AEAD_DECRYPT_FAILED
050 FUNCTION_CANCELED
051 FUNCTION_NOT_PARALLEL
054 FUNCTION_NOT_SUPPORTED
060 KEY_HANDLE_INVALID
062 KEY_SIZE_RANGE
063 KEY_TYPE_INCONSISTENT
064 KEY_NOT_NEEDED
065 KEY_CHANGED
066 KEY_NEEDED
067 KEY_INDIGESTIBLE
068 KEY_FUNCTION_NOT_PERMITTED
069 KEY_NOT_WRAPPABLE
06a KEY_UNEXTRACTABLE
070 MECHANISM_INVALID
071 MECHANISM_PARAM_INVALID
082 OBJECT_HANDLE_INVALID
090 OPERATION_ACTIVE
091 OPERATION_NOT_INITIALIZED
0a0 PIN_INCORRECT
0a1 PIN_INVALID
0a2 PIN_LEN_RANGE
0a3 PIN_EXPIRED
0a4 PIN_LOCKED
0b0 SESSION_CLOSED
0b1 SESSION_COUNT
0b3 SESSION_HANDLE_INVALID
0b4 SESSION_PARALLEL_NOT_SUPPORTED
0b5 SESSION_READ_ONLY
0b6 SESSION_EXISTS
0b7 SESSION_READ_ONLY_EXISTS
0b8 SESSION_READ_WRITE_SO_EXISTS
0c0 SIGNATURE_INVALID
0c1 SIGNATURE_LEN_RANGE
0d0 TEMPLATE_INCOMPLETE
0d1 TEMPLATE_INCONSISTENT
0e0 TOKEN_NOT_PRESENT
0e1 TOKEN_NOT_RECOGNIZED
0e2 TOKEN_WRITE_PROTECTED
0f0 UNWRAPPING_KEY_HANDLE_INVALID
0f1 UNWRAPPING_KEY_SIZE_RANGE
0f2 UNWRAPPING_KEY_TYPE_INCONSISTENT
100 USER_ALREADY_LOGGED_IN
101 USER_NOT_LOGGED_IN
102 USER_PIN_NOT_INITIALIZED
103 USER_TYPE_INVALID
104 USER_ANOTHER_ALREADY_LOGGED_IN
105 USER_TOO_MANY_TYPES
110 WRAPPED_KEY_INVALID
112 WRAPPED_KEY_LEN_RANGE
113 WRAPPING_KEY_HANDLE_INVALID
114 WRAPPING_KEY_SIZE_RANGE
115 WRAPPING_KEY_TYPE_INCONSISTENT
120 RANDOM_SEED_NOT_SUPPORTED
121 RANDOM_NO_RNG
130 DOMAIN_PARAMS_INVALID
140 CURVE_NOT_SUPPORTED
150 BUFFER_TOO_SMALL
160 SAVED_STATE_INVALID
170 INFORMATION_SENSITIVE
180 STATE_UNSAVEABLE
190 CRYPTOKI_NOT_INITIALIZED
191 CRYPTOKI_ALREADY_INITIALIZED
1a0 MUTEX_BAD
1a1 MUTEX_NOT_LOCKED
1b0 NEW_PIN_MODE
1b1 NEXT_OTP
1b5 EXCEEDED_MAX_ITERATIONS
1b6 FIPS_SELF_TEST_FAILED
1b7 LIBRARY_LOAD_FAILED
1b8 PIN_TOO_WEAK
1b9 PUBLIC_KEY_INVALID
200 FUNCTION_REJECTED
201 TOKEN_RESOURCE_EXCEEDED
202 OPERATION_CANCEL_FAILED
203 KEY_EXHAUSTED
204 PENDING
205 SESSION_ASYNC_NOT_SUPPORTED
206 SEED_RANDOM_REQUIRED
207 OPERATION_NOT_VALIDATED
208 TOKEN_NOT_INITIALIZED
209 PARAMETER_SET_NOT_SUPPORTED
`
