//go:build cgo

package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/wire"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// announcer tells the server of every management call: before it is made, and when it
// has returned. What was written to the socket survives the worker, so a call that
// was made is never unknown, and one that was not is never recorded. A session makes one
// call at a time, so the announcements of a session come in pairs.
type announcer struct {
	conn *wire.Conn
}

// call announces c, makes the call, and announces its end. If the server cannot be
// told, the call is not made.
func (a *announcer) call(c *workerv1.Call, do func() error) error {
	if err := a.tell(c); err != nil {
		return fmt.Errorf("%s is not called: %w", c.GetFunction(), err)
	}
	err := do()
	c.Ended, c.Rv = true, uint64(rvOf(err))
	if e := a.tell(c); e != nil && err == nil {
		return fmt.Errorf("telling the end of %s: %w", c.GetFunction(), e)
	}
	return err
}

// report announces a call that somebody else has made.
func (a *announcer) report(function string, err error) error {
	return a.call(&workerv1.Call{Function: function}, func() error { return err })
}

func (a *announcer) tell(c *workerv1.Call) error {
	c.TimeMicros = time.Now().UnixMicro()
	return send(a.conn, &workerv1.FromWorker{Message: &workerv1.FromWorker_Call{Call: c}})
}

func send(conn *wire.Conn, m *workerv1.FromWorker) error {
	if err := conn.Append(m); err != nil {
		return err
	}
	return conn.Flush()
}

// rvOf returns the code of a call that miekg/pkcs11 made. An error that is none of
// the library's counts as a general one.
func rvOf(err error) ckr.RV {
	if err == nil {
		return ckr.OK
	}
	var code pkcs11.Error
	if errors.As(err, &code) {
		return ckr.Of(uint64(code))
	}
	return ckr.GeneralError
}
