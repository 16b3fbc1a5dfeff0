package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

type eventsCmd struct {
	Show eventsShowCmd `cmd:"" help:"Print the newest API events, oldest first."`
	Tail eventsTailCmd `cmd:"" help:"Print API events as they come, until interrupted."`
}

// trailOutput is the flag of both trails.
type trailOutput struct {
	JSON bool `name:"json" help:"Print each record as it stands in the journal: JSON, one to a line."`
}

// showRange is the flags of the commands that come to an end.
type showRange struct {
	Last *int32 `xor:"range" placeholder:"N" help:"How many, 1 to 1,000,000 (20)."`
	All  bool   `xor:"range" help:"All of them, since the journal began."`
}

// defaultLast is how many records are shown unless the user says otherwise.
const defaultLast = 20

// last returns what the request says; nil is all.
func (r showRange) last() *int32 {
	if r.All || r.Last != nil {
		return r.Last
	}
	return new(int32(defaultLast))
}

// tailRange is the flag of the commands that follow a trail.
type tailRange struct {
	Last int32 `default:"10" placeholder:"N" help:"How many older ones to begin with, 1 to 1,000,000 (${default})."`
}

type eventsShowCmd struct {
	showRange
	eventSelection
	withHSMLog
	trailOutput
	connection
}

// Help is part of kong's HelpProvider.
func (*eventsShowCmd) Help() string {
	return `Every request has left one event, the refused ones too, and this one. Of those that
match all flags the newest are shown. The server finds them by an index, however long the
journal is; only --filter alone may have to look at every event.

Examples:

    strongroom events show --last 5
    strongroom events show --since 24h --failed --principal alice
    strongroom events show --key 1234abcd-12ab-34cd-56ef-1234567890ab --no-read-only --all
    strongroom events show --request-id 6f4c... --with-hsm-log
    strongroom events show --filter 'event.eventName.startsWith("Schedule") && !has(event.errorCode)'
    strongroom events show --all --json | jq -r 'select(.errorCode) | .errorMessage'`
}

// Run prints events.
func (c *eventsShowCmd) Run(ctx context.Context, p *Process) error {
	if err := c.check(c.eventSelection); err != nil {
		return err
	}
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		err := events(ctx, p, client, c.JSON, &operatorv1.StreamEventsRequest{Last: c.last(), Selector: c.selector()})
		if err != nil || !c.WithHSMLog {
			return err
		}
		return hsmLog(ctx, p, client, c.JSON, &operatorv1.StreamHsmLogRequest{Selector: &operatorv1.HsmLogSelector{RequestId: c.RequestID}})
	})
}

type eventsTailCmd struct {
	tailRange
	eventSelection
	trailOutput
	connection
}

// Run prints events until ctx ends.
func (c *eventsTailCmd) Run(ctx context.Context, p *Process) error {
	return c.stream(ctx, p, func(ctx context.Context, client *connect.Client) error {
		return follow(events(ctx, p, client, c.JSON, &operatorv1.StreamEventsRequest{Last: &c.Last, Follow: new(true), Selector: c.selector()}))
	})
}

func events(ctx context.Context, p *Process, client *connect.Client, asJSON bool, request *operatorv1.StreamEventsRequest) error {
	stream, err := client.Operator.StreamEvents(ctx, request)
	if err != nil {
		return err
	}
	if !asJSON {
		if _, err := fmt.Fprintln(p.Stdout, present.EventHeading()); err != nil {
			return err
		}
	}
	return connect.Each(stream, func(r *operatorv1.StreamEventsResponse) error {
		line := r.GetEventJson()
		if !asJSON {
			e, err := present.ParseEvent(line)
			if err != nil {
				return err
			}
			line = e.Line()
		}
		_, err := fmt.Fprintln(p.Stdout, line)
		return err
	})
}

type hsmLogCmd struct {
	Show hsmLogShowCmd `cmd:"" help:"Print the newest HSM audit entries, oldest first."`
	Tail hsmLogTailCmd `cmd:"" help:"Print HSM audit entries as they come, until interrupted."`
}

type hsmLogShowCmd struct {
	entrySelection
	showRange
	trailOutput
	connection
}

// Help is part of kong's HelpProvider.
func (*hsmLogShowCmd) Help() string {
	return `Every management command that an HSM was sent has left one entry, in the form of
AWS CloudHSM's audit log. Each HSM has a log of its own: without --hsm a line such as
"==> hsm-abcdefghijk <==" says from where on the entries are those of which HSM. With --json
an entry also has the id of the request that caused it.

Examples:

    strongroom hsm-log show --last 5
    strongroom hsm-log show --failed --since 24h
    strongroom hsm-log show --opcode CN_GENERATE_KEY --key 1234abcd-12ab-34cd-56ef-1234567890ab
    strongroom hsm-log show --all --json`
}

// Run prints entries.
func (c *hsmLogShowCmd) Run(ctx context.Context, p *Process) error {
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		return hsmLog(ctx, p, client, c.JSON, &operatorv1.StreamHsmLogRequest{HsmId: c.HSM, Last: c.last(), Selector: c.selector()})
	})
}

type hsmLogTailCmd struct {
	entrySelection
	tailRange
	trailOutput
	connection
}

// Run prints entries until ctx ends.
func (c *hsmLogTailCmd) Run(ctx context.Context, p *Process) error {
	return c.stream(ctx, p, func(ctx context.Context, client *connect.Client) error {
		return follow(hsmLog(ctx, p, client, c.JSON, &operatorv1.StreamHsmLogRequest{HsmId: c.HSM, Last: &c.Last, Follow: new(true), Selector: c.selector()}))
	})
}

func hsmLog(ctx context.Context, p *Process, client *connect.Client, asJSON bool, request *operatorv1.StreamHsmLogRequest) error {
	stream, err := client.Operator.StreamHsmLog(ctx, request)
	if err != nil {
		return err
	}
	if asJSON {
		return connect.Each(stream, func(r *operatorv1.StreamHsmLogResponse) error {
			_, err := fmt.Fprintln(p.Stdout, r.GetEntryJson())
			return err
		})
	}
	named := request.GetHsmId()
	return connect.Each(stream, func(r *operatorv1.StreamHsmLogResponse) error {
		heading := ""
		if id := r.GetHsmId(); id != named {
			heading, named = fmt.Sprintf("==> %s <==\n", present.Printable(id)), id
		}
		_, err := io.WriteString(p.Stdout, heading+r.GetText()+"\n") // an empty line between entries
		return err
	})
}

// follow makes the user's interrupt the ordinary end of a command.
func follow(err error) error {
	if connect.Interrupted(err) {
		return nil
	}
	return err
}
