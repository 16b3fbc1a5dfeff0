"""Calls every operation of boto3's client: every_operation.py CLUSTER.

CLUSTER is the directory of the development server's second token, of which it makes
a custom key store.

What they answer is used with the Python package cryptography, where something can
be, and compared with botocore's service model: an answer has no member that the
model lacks and only values of the model's types.
"""

import base64
import json
import pathlib
import sys
import time

import boto3
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
UNKNOWN, UNSUPPORTED = "UnknownOperationException", "UnsupportedOperationException"
NOT_THERE = {"Encapsulate", "Decapsulate", "ReplicateKey", "UpdatePrimaryRegion"}


def check(shape, value, where):
    """Fails unless a value of an answer is one of the model's."""
    types = {"string": str, "blob": str, "boolean": bool, "integer": int, "timestamp": (int, float)}
    if shape.type_name == "structure":
        assert isinstance(value, dict) and set(value) <= set(shape.members), f"{where}: {value}"
        for name, member in value.items():
            check(shape.members[name], member, f"{where}.{name}")
    elif shape.type_name == "list":
        assert isinstance(value, list), f"{where}: {value}"
        for member in value:
            check(shape.member, member, where)
    elif shape.type_name == "map":
        assert isinstance(value, dict), f"{where}: {value}"
        for name, member in value.items():
            check(shape.key, name, where)
            check(shape.value, member, f"{where}.{name}")
    else:
        assert isinstance(value, types[shape.type_name]), f"{where}: {value}"
        assert value in (getattr(shape, "enum", None) or [value]), f"{where}: {value}"
        if shape.type_name == "blob":
            base64.b64decode(value, validate=True)


class Caller:
    """A client that remembers what it has called."""

    def __init__(self):
        self.kms = boto3.client("kms")
        self.answered = set()
        self.kms.meta.events.register("before-parse.kms", self.compare)

    def compare(self, operation_model, response_dict, **_):
        where, shape = operation_model.name, operation_model.output_shape
        assert len(response_dict["headers"]["x-amzn-RequestId"]) == 36, where
        if response_dict["status_code"] != 200:
            return
        self.answered.add(where)
        if shape is None:
            assert response_dict["body"] == b"", f"{where}: {response_dict['body']}"
        else:
            check(shape, json.loads(response_dict["body"]), where)

    def new_key(self, **options):
        return self.kms.create_key(**options)["KeyMetadata"]["Arn"]


def use_symmetric_keys(kms, key, other):
    context = {"tenant": "acme"}
    sealed = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=sealed, SourceEncryptionContext=context, DestinationKeyId=other
    )["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=moved, KeyId=other)["Plaintext"] == b"x"

    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
    opened = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=context)
    assert opened["Plaintext"] == made["Plaintext"] and len(opened["Plaintext"]) == 32
    sealed = kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=24)["CiphertextBlob"]
    assert len(kms.decrypt(CiphertextBlob=sealed)["Plaintext"]) == 24

    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    private = serialization.load_der_private_key(pair["PrivateKeyPlaintext"], None)
    public = serialization.load_der_public_key(pair["PublicKey"])
    assert private.public_key() == public
    pair = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec="ECC_NIST_P384")
    opened = kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"]
    assert serialization.load_der_private_key(opened, None).key_size == 384

    assert len(kms.generate_random(NumberOfBytes=32)["Plaintext"]) == 32
    assert kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]["Operation"]


def use_asymmetric_keys(caller):
    kms = caller.kms
    signer = caller.new_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    request = {"KeyId": signer, "Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = kms.sign(**request)["Signature"]
    assert kms.verify(**request, Signature=signature)["SignatureValid"]
    public = serialization.load_der_public_key(kms.get_public_key(KeyId=signer)["PublicKey"])
    public.verify(signature, b"x", ec.ECDSA(hashes.SHA256()))

    agreeing = caller.new_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    ours = ec.generate_private_key(ec.SECP256R1())
    derived = kms.derive_shared_secret(
        KeyId=agreeing,
        KeyAgreementAlgorithm="ECDH",
        PublicKey=ours.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )
    theirs = serialization.load_der_public_key(kms.get_public_key(KeyId=agreeing)["PublicKey"])
    assert derived["SharedSecret"] == ours.exchange(ec.ECDH(), theirs)

    mac = {"KeyId": caller.new_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")}
    mac |= {"Message": b"x", "MacAlgorithm": "HMAC_SHA_256"}
    assert kms.verify_mac(**mac, Mac=kms.generate_mac(**mac)["Mac"])["MacValid"]


def manage(kms, key, other):
    kms.update_key_description(KeyId=key, Description="payroll, 2026")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "payroll, 2026"
    kms.disable_key(KeyId=key)
    kms.enable_key(KeyId=key)
    assert kms.schedule_key_deletion(KeyId=other)["KeyState"] == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=other)
    kms.enable_key(KeyId=other)

    kms.create_alias(AliasName="alias/every", TargetKeyId=key)
    kms.update_alias(AliasName="alias/every", TargetKeyId=other)
    assert kms.list_aliases(KeyId=other)["Aliases"][0]["AliasName"] == "alias/every"
    kms.delete_alias(AliasName="alias/every")
    kms.list_keys()

    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "team", "TagValue": "red"}])
    assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "team", "TagValue": "red"}]
    kms.untag_resource(KeyId=key, TagKeys=["team"])

    assert kms.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]
    policy = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    kms.put_key_policy(KeyId=key, Policy=policy)


def grant(kms, key):
    root = json.loads(kms.get_key_policy(KeyId=key)["Policy"])["Statement"][0]["Principal"]["AWS"]
    user = root.replace(":root", ":user/grantee")
    grants = [
        kms.create_grant(KeyId=key, GranteePrincipal=user, RetiringPrincipal=user, Operations=[o])
        for o in ["Encrypt", "Decrypt"]
    ]
    assert len(kms.list_grants(KeyId=key)["Grants"]) == 2
    assert len(kms.list_retirable_grants(RetiringPrincipal=user)["Grants"]) == 2
    kms.retire_grant(GrantToken=grants[0]["GrantToken"])
    kms.revoke_grant(KeyId=key, GrantId=grants[1]["GrantId"])
    assert kms.list_grants(KeyId=key)["Grants"] == []


def rotate(kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    assert kms.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"] == 90
    kms.disable_key_rotation(KeyId=key)
    sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.rotate_key_on_demand(KeyId=key)
    kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x"


def bring_material(caller):
    kms, key = caller.kms, caller.new_key(Origin="EXTERNAL")
    wrapping = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_3072"
    )
    sha256 = hashes.SHA256()
    wrapped = serialization.load_der_public_key(wrapping["PublicKey"]).encrypt(
        bytes(range(32)), padding.OAEP(padding.MGF1(sha256), sha256, None)
    )
    kms.import_key_material(
        KeyId=key,
        ImportToken=wrapping["ImportToken"],
        EncryptedKeyMaterial=wrapped,
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    kms.delete_imported_key_material(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"


def use_key_store(caller, cluster):
    kms = caller.kms
    store = new_key_store(kms, cluster)
    kms.update_custom_key_store(**store, NewCustomKeyStoreName="payroll 2026")
    connect(kms, store)
    kms.disconnect_custom_key_store(**store)
    await_state(kms, store, "DISCONNECTED")
    kms.delete_custom_key_store(**store)

    store = new_key_store(kms, cluster)
    connect(kms, store)
    key = caller.new_key(**store, Origin="AWS_CLOUDHSM")
    sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x"


def new_key_store(kms, cluster):
    made = kms.create_custom_key_store(
        CustomKeyStoreName="payroll",
        CloudHsmClusterId=cluster.name,
        TrustAnchorCertificate=(cluster / "ca.pem").read_text(),
        KeyStorePassword=(cluster / "pin").read_text().strip(),
    )
    return {"CustomKeyStoreId": made["CustomKeyStoreId"]}


def connect(kms, store):
    kms.connect_custom_key_store(**store)
    await_state(kms, store, "CONNECTED")


def await_state(kms, store, want):
    """Asks again, as there is nothing to await, for up to half a minute."""
    for _ in range(300):
        state = kms.describe_custom_key_stores(**store)["CustomKeyStores"][0]["ConnectionState"]
        if not state.endswith("ING"):
            break
        time.sleep(0.1)
    assert state == want, state


def page(kms, key):
    """Reads the lists that have more than one page by boto3's paginators."""
    names = {f"alias/page-{i}" for i in range(3)}
    for name in names:
        kms.create_alias(AliasName=name, TargetKeyId=key)
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": name, "TagValue": ""} for name in names])
    for operation, members, member in [
        ("list_aliases", "Aliases", "AliasName"),
        ("list_resource_tags", "Tags", "TagKey"),
    ]:
        pages = kms.get_paginator(operation).paginate(KeyId=key, PaginationConfig={"PageSize": 1})
        found = [[item[member] for item in page[members]] for page in pages]
        assert all(len(names) == 1 for names in found), found
        assert {name for [name] in found} == names, found


def call_what_there_is_not(kms, key):
    """Keys are of one Region, and no HSM has ML-KEM yet."""
    kem = {"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"}
    for call, code in [
        (lambda: kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1"), UNSUPPORTED),
        (lambda: kms.update_primary_region(KeyId=key, PrimaryRegion="eu-west-1"), UNSUPPORTED),
        (lambda: kms.encapsulate(**kem), UNKNOWN),
        (lambda: kms.decapsulate(**kem, SharedSecretCiphertextBlob=b"x"), UNKNOWN),
    ]:
        try:
            raise AssertionError(f"answered: {call()}")
        except ClientError as error:
            assert error.response["Error"]["Code"] == code, error


def main():
    cluster = pathlib.Path(sys.argv[1])
    caller = Caller()
    kms, key, other = caller.kms, caller.new_key(), caller.new_key()
    use_symmetric_keys(kms, key, other)
    use_asymmetric_keys(caller)
    manage(kms, key, other)
    grant(kms, key)
    rotate(kms, key)
    bring_material(caller)
    use_key_store(caller, cluster)
    page(kms, key)
    call_what_there_is_not(kms, key)
    missing = set(kms.meta.service_model.operation_names) - caller.answered
    assert missing == NOT_THERE, missing
    print(len(caller.answered), "operations")


main()
