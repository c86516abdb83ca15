package drill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// stateFaults are what NATS can lose of what replicas share.
func stateFaults() family {
	return family{least: 3, most: 10, faults: []faultKind{
		{kind: wipe, what: wiped, begin: lostBucket, draw: wipes},
		{kind: wipe, what: restored, begin: lostBucket, draw: wipes},
	}}
}

const (
	wiped    = "wiped"
	restored = "restored" // to what was in it a while ago
)

// paceBucket is where the engine shares its rate, in memory.
const paceBucket = "ENG_PACE"

func wipes(p *planner) event {
	bucket := []string{pauseBucket, paceBucket}[p.random.IntN(2)]
	return event{target: partNATS, link: bucket, length: p.seconds(1, 4)}
}

// lostBucket loses a bucket at the end of the event's time. One that is restored has what
// was in it at the beginning, with other revisions.
func lostBucket(ctx context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.length+commandTime)
	js, err := jetstream.New(w.nats)
	if err != nil {
		cancel()
		return nil, err
	}
	backup, err := entries(ctx, js, e.link)
	if err != nil {
		cancel()
		return nil, err
	}
	return func() error {
		defer cancel()
		defer w.events.begin(*e)()
		if e.what == wiped {
			backup = nil
		}
		for {
			err := replaceBucket(ctx, js, e.link, backup)
			if err == nil || !sleep(ctx, 100*time.Millisecond) {
				return err
			}
		}
	}, nil
}

// entries returns what is in a bucket.
func entries(ctx context.Context, js jetstream.JetStream, name string) (map[string][]byte, error) {
	bucket, err := js.KeyValue(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	keys, err := bucket.Keys(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrNoKeysFound) {
		return nil, fmt.Errorf("read bucket %s: %w", name, err)
	}
	values := make(map[string][]byte, len(keys))
	for _, key := range keys {
		entry, err := bucket.Get(ctx, key)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s of bucket %s: %w", key, name, err)
		}
		values[key] = entry.Value()
	}
	return values, nil
}

// replaceBucket makes a bucket again, with other content. It may be called again after
// a failure.
func replaceBucket(ctx context.Context, js jetstream.JetStream, name string, values map[string][]byte) error {
	stream, err := js.Stream(ctx, "KV_"+name)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("find bucket %s: %w", name, err)
	}
	if err == nil {
		config := stream.CachedInfo().Config
		if err := js.DeleteStream(ctx, config.Name); err != nil {
			return fmt.Errorf("wipe bucket %s: %w", name, err)
		}
		if _, err := js.CreateStream(ctx, config); err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return fmt.Errorf("make bucket %s: %w", name, err)
		}
	}
	bucket, err := js.KeyValue(ctx, name)
	if err != nil {
		return fmt.Errorf("open bucket %s: %w", name, err)
	}
	for key, value := range values {
		if _, err := bucket.Put(ctx, key, value); err != nil {
			return fmt.Errorf("restore bucket %s: %w", name, err)
		}
	}
	return nil
}
