package ipmi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/bougou/go-ipmi/pkg/client"
	"github.com/bougou/go-ipmi/pkg/types"

	"github.com/casementhq/casement/cim"
)

// How a BMC is treated.
const (
	// answerTime bounds one attempt to get an answer, and attempts how often it is made.
	answerTime = time.Second
	attempts   = 4
	// closeTime bounds the farewell.
	closeTime = time.Second
)

// pace is how long things last between a BMC and us.
type pace struct {
	rest  time.Duration // of a connection that nobody uses
	life  time.Duration // of a connection that is used
	retry time.Duration // a BMC that did not answer is left alone
}

// usualPace renews a connection before the 30 seconds are over after which the library would send requests of its own
// between those of ours.
var usualPace = pace{rest: 15 * time.Second, life: 25 * time.Second, retry: 15 * time.Second}

// suites are the cipher suites that are tried, the best first: those that encrypt. See [IPMI] 22.15.2.
var suites = []types.CipherSuiteID{17, 3}

// bmc is the connection to one BMC, used by one request at a time.
type bmc struct {
	device Device
	number int // of the device file, for the BMC of this machine
	log    *slog.Logger
	pace   pace
	turn   chan struct{} // holds one element while nobody has the turn

	// Guarded by the turn.
	client  *client.Client
	opened  time.Time
	sensors sensorCache
	partial bool        // records must be read in parts
	rest    *time.Timer // closes the connection

	state  sync.Mutex // guards the rest
	failed time.Time  // when it did not answer
	why    error
	closed bool
	cancel context.CancelFunc // of the request that is under way
}

func newBMC(d Device, number int, log *slog.Logger, p pace) *bmc {
	b := &bmc{device: d, number: number, log: log, pace: p, turn: make(chan struct{}, 1)}
	b.turn <- struct{}{}
	return b
}

// errGone is the error of a BMC that was taken out of the list.
var errGone = errors.New("the device was removed")

// use runs f when it is this caller's turn and the BMC is connected. An error of f other than one of the BMC's
// answers ends the connection. What fails is logged once until the BMC answers again.
func (b *bmc) use(ctx context.Context, f func(ctx context.Context, c *client.Client) error) (err error) {
	select {
	case <-b.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { b.turn <- struct{}{} }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := b.begin(cancel); err != nil {
		return err
	}
	if b.rest != nil {
		b.rest.Stop()
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the answer of the BMC could not be decoded: %v", v)
		}
		if err != nil && !answered(err) {
			b.disconnect()
			if ctx.Err() == nil {
				b.remember(err)
			}
		}
		if b.client != nil {
			b.rest = time.AfterFunc(b.pace.rest, b.rested)
		}
	}()
	if err := b.connect(ctx); err != nil {
		return err
	}
	err = f(ctx, b.client)
	if err == nil || answered(err) {
		b.remember(nil)
	}
	return err
}

// answered tells whether an error is what a BMC answered, or one of ours about it, so that the connection is sound.
func answered(err error) bool {
	if _, ok := types.IsResponseError(err); ok {
		return true
	}
	var ours *cim.Error
	return errors.As(err, &ours)
}

// begin notes how to end the request that is to be made. It fails where there is to be none: the device was removed,
// or did not answer shortly before.
func (b *bmc) begin(cancel context.CancelFunc) error {
	b.state.Lock()
	defer b.state.Unlock()
	if b.closed {
		return errGone
	}
	if b.why != nil && time.Since(b.failed) < b.pace.retry {
		return b.why
	}
	b.cancel = cancel
	return nil
}

// remember keeps how it went, and logs it where that changed.
func (b *bmc) remember(err error) {
	b.state.Lock()
	before := b.why
	b.why, b.failed = err, time.Now()
	b.state.Unlock()
	switch {
	case err != nil && before == nil:
		b.log.Warn("a BMC does not answer; its objects are missing until it does", "bmc", b.device, "error", err)
	case err == nil && before != nil:
		b.log.Info("a BMC answers again", "bmc", b.device)
	}
}

// connect makes sure that there is a connection that will last.
func (b *bmc) connect(ctx context.Context) error {
	if b.client != nil && time.Since(b.opened) < b.pace.life {
		return nil
	}
	b.disconnect()
	c, err := b.dial(ctx)
	if err != nil {
		return err
	}
	b.client, b.opened = c, time.Now()
	return nil
}

func (b *bmc) dial(ctx context.Context) (*client.Client, error) {
	if b.device.Local() {
		c, err := client.NewOpenClient()
		if err != nil {
			return nil, err
		}
		if err := c.ConnectOpen(ctx, int32(b.number)); err != nil {
			return nil, fmt.Errorf("open the device of the kernel's driver: %w", err)
		}
		return c.WithTimeout(answerTime * attempts), nil
	}
	host := b.device.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	c, err := client.NewClient(host, b.device.port(), b.device.User, b.device.Password)
	if err != nil {
		return nil, err
	}
	c.WithTimeout(answerTime).WithRetry(attempts - 1).WithCipherSuiteID(suites...).WithUDPProxy(guarded(ctx, b.device)).WithMaxPrivilegeLevel(b.device.level())
	if err := c.Connect(ctx); err != nil {
		farewell(c)
		if strings.Contains(err.Error(), client.ErrRAKPAuthentication.Error()) {
			return nil, ErrCredentials
		}
		return nil, errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	return c, nil
}

// level is the privilege level of sessions.
func (d Device) level() types.PrivilegeLevel {
	switch d.Privilege {
	case "user":
		return types.PrivilegeLevelUser
	case "operator":
		return types.PrivilegeLevelOperator
	}
	return types.PrivilegeLevelAdministrator
}

// ErrCredentials is the error of a BMC that does not know the user or has another password.
var ErrCredentials = errors.New("the BMC refuses the user or the password")

// disconnect ends the connection, if there is one.
func (b *bmc) disconnect() {
	if b.client != nil {
		farewell(b.client)
		b.client = nil
	}
}

// farewell closes a session; the BMC is not waited for.
func farewell(c *client.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	c.WithRetry(0)
	_ = c.Close(ctx) // the session ends by itself in the BMC
}

// rested closes a connection that nobody used.
func (b *bmc) rested() {
	select {
	case <-b.turn:
		b.disconnect()
		b.turn <- struct{}{}
	default: // somebody uses it
	}
}

// close ends the connection for good, and the request that is under way.
func (b *bmc) close() {
	b.state.Lock()
	b.closed = true
	if b.cancel != nil {
		b.cancel()
	}
	b.state.Unlock()
	<-b.turn
	if b.rest != nil {
		b.rest.Stop()
	}
	b.disconnect()
	b.turn <- struct{}{}
}

// at addresses what owns a sensor.
func at(ctx context.Context, owner, lun uint8) context.Context {
	return client.WithCommandContext(ctx, new(client.CommandContext).WithResponderAddr(owner).WithResponderLUN(lun))
}

// completion is the completion code of an error that is an answer of the BMC.
func completion(err error) (types.CompletionCode, bool) {
	if answer, ok := types.IsResponseError(err); ok {
		return answer.CompletionCode(), true
	}
	return 0, false
}
