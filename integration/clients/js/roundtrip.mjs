import { CreateKeyCommand, DecryptCommand, EncryptCommand, KMSClient } from "@aws-sdk/client-kms";

const kms = new KMSClient();
const { KeyMetadata: key } = await kms.send(new CreateKeyCommand({ Description: "payroll" }));
const EncryptionContext = { tenant: "acme" };
const { CiphertextBlob } = await kms.send(
  new EncryptCommand({ KeyId: key.Arn, Plaintext: Buffer.from("attack at dawn"), EncryptionContext }),
);
const { Plaintext } = await kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }));
console.log(Buffer.from(Plaintext).toString());
