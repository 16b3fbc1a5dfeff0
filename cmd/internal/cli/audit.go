package cli

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Check every record of the journal, without a server."`
}
