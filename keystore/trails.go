package keystore

import (
	"context"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
)

// seekTime is how long a request looks for records before it answers those that it has
// found, with a token to go on with.
const seekTime = 3 * time.Second

// seek gives the records of a search to take, which says whether it has room for more,
// until there are none, or none are found for long. It returns where to go on, as
// audit.Page.Next does.
func (k *Keystore) seek(ctx context.Context, s audit.Search, take func(audit.Record) (bool, error)) (next uint64, err error) {
	for until := time.Now().Add(seekTime); ; {
		page, err := k.trail.Search(ctx, s)
		if err != nil {
			return 0, unsearchable(ctx, err)
		}
		for i, r := range page.Records {
			room, err := take(r)
			if err != nil {
				return 0, unsearchable(ctx, err)
			}
			if last := i == len(page.Records)-1; !room && (!last || page.Next != 0) {
				return r.Seq, nil
			} else if !room {
				return 0, nil
			}
		}
		if page.Next == 0 || time.Now().After(until) {
			return page.Next, nil
		}
		s.After = page.Next
	}
}

// unsearchable is the error of a search that failed.
func unsearchable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return outOfTime(ctx, "The search of the audit trails").because(err)
	}
	return unreadable(err)
}
