package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var (
	// ErrNotConnected is returned at once by whatever needs the server while it
	// cannot be reached.
	ErrNotConnected = errors.New("not connected to nats")

	// ErrFull is returned when a lane holds as many messages as it may. The
	// dispatcher gives the claim back and tries again later.
	ErrFull = errors.New("the queue is full")

	// ErrTooLarge is returned for a message that is larger than its stream accepts.
	ErrTooLarge = errors.New("the message is too large")

	// errHeld means that a work queue holds a message of the same subject.
	errHeld = errors.New("a message of this subject is in the queue")
)

// Codes of JetStream's API that the client has no names for.
const (
	codeNoPeers         jetstream.ErrorCode = 10005 // these three pass when a cluster has elected its leaders
	codeClusterNotReady jetstream.ErrorCode = 10008
	codeNoResources     jetstream.ErrorCode = 10023
	codeTooLarge        jetstream.ErrorCode = 10054 // over the stream's MaxMsgSize
	codeReplicas        jetstream.ErrorCode = 10074 // more replicas than a lone server can keep
	codeStoreFailed     jetstream.ErrorCode = 10077 // over a limit of the stream; the text says which
)

// plain replaces what the client calls a full buffer of length 0.
func plain(err error) error {
	if errors.Is(err, nats.ErrReconnectBufExceeded) {
		return ErrNotConnected
	}
	return err
}

// publishError names the limits of a stream.
func publishError(err error) error {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return plain(err)
	}
	switch {
	case api.ErrorCode == codeTooLarge:
		return ErrTooLarge
	case api.ErrorCode != codeStoreFailed:
		return err
	case strings.Contains(api.Description, "per subject exceeded"):
		return errHeld
	case strings.Contains(api.Description, "maximum messages exceeded"), strings.Contains(api.Description, "maximum bytes exceeded"):
		return ErrFull
	default:
		return err
	}
}

// conflict reports whether a bucket's entry was changed since it was read.
func conflict(err error) bool {
	return errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch)
}

// lost reports whether an error may mean that a stream or consumer is gone.
func lost(err error) bool {
	for _, target := range []error{
		jetstream.ErrStreamNotFound, jetstream.ErrNoStreamResponse, jetstream.ErrBucketNotFound,
		jetstream.ErrConsumerNotFound, jetstream.ErrConsumerDeleted, jetstream.ErrConsumerDoesNotExist,
		jetstream.ErrNoHeartbeat, nats.ErrNoResponders,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// notReady reports whether setting up is worth another try: a cluster elects its
// leaders, another process is setting up the same, or an answer got lost.
func notReady(err error) bool {
	for _, target := range []error{
		jetstream.ErrStreamNameAlreadyInUse, jetstream.ErrConsumerExists,
		nats.ErrNoResponders, nats.ErrTimeout, context.DeadlineExceeded,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode {
	case codeNoPeers, codeClusterNotReady, codeNoResources:
		return true
	default:
		return false
	}
}

// explain adds what to do about the errors that a wrong server gives.
func explain(err error) error {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w (is JetStream enabled? start nats-server with -js)", err)
	case errors.As(err, &api) && api.ErrorCode == codeReplicas:
		return fmt.Errorf("%w (the server is not part of a cluster: set 1 replica)", err)
	default:
		return plain(err)
	}
}
