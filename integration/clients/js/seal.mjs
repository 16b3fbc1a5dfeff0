// Encrypts a file: seal.mjs KEY FROM TO.
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { buildClient, CommitmentPolicy, KmsKeyringNode } from "@aws-crypto/client-node";

const [key, plain, sealed] = process.argv.slice(2);
const { encryptStream } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
const keyring = new KmsKeyringNode({ generatorKeyId: key });
const encryptor = encryptStream(keyring, { encryptionContext: { tenant: "acme" } });
await pipeline(createReadStream(plain), encryptor, createWriteStream(sealed));
