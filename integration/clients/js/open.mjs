// Decrypts a file: open.mjs KEY FROM TO.
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { buildClient, CommitmentPolicy, KmsKeyringNode } from "@aws-crypto/client-node";

const [key, sealed, plain] = process.argv.slice(2);
const { decryptStream } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
const decryptor = decryptStream(new KmsKeyringNode({ keyIds: [key] }));
decryptor.on("MessageHeader", ({ encryptionContext }) => {
  if (encryptionContext.tenant !== "acme") decryptor.destroy(new Error("the file is not acme's"));
});
await pipeline(createReadStream(sealed), decryptor, createWriteStream(plain));
