package cli

type auditCmd struct {
	Status    auditStatusCmd    `cmd:"" help:"Say where the journal stands, what is signed, and who is behind."`
	Head      auditHeadCmd      `cmd:"" help:"Print the head of the journal, to be kept elsewhere."`
	Keys      auditKeysCmd      `cmd:"" help:"List the public keys that verify digests, or write them as PEM."`
	RotateKey auditRotateKeyCmd `cmd:"" help:"Make a new key that signs digests."`
	Verify    auditVerifyCmd    `cmd:"" help:"Check every record of the journal, without a server."`
}
