package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// registerTypes teaches a connection our types: which Postgres type they are sent
// as (without prepared statements pgx can not ask the server), and a quick way
// to encode them. The writes of a batch are some forty arrays; encoded element by
// element through pgx's general plans they took as long as Postgres needs to
// write them.
func registerTypes(_ context.Context, conn *pgx.Conn) error {
	m := conn.TypeMap()
	m.RegisterType(&pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}})
	for _, a := range []struct {
		name        string
		array, item uint32
	}{
		{"_uuid", pgtype.UUIDArrayOID, pgtype.UUIDOID},
		{"_int4", pgtype.Int4ArrayOID, pgtype.Int4OID},
		{"_text", pgtype.TextArrayOID, pgtype.TextOID},
		{"_float8", pgtype.Float8ArrayOID, pgtype.Float8OID},
		{"_bool", pgtype.BoolArrayOID, pgtype.BoolOID},
		{"_bytea", pgtype.ByteaArrayOID, pgtype.ByteaOID},
		{"_timestamptz", pgtype.TimestamptzArrayOID, pgtype.TimestamptzOID},
	} {
		item, ok := m.TypeForOID(a.item)
		if !ok {
			return fmt.Errorf("pgx does not know the items of %s", a.name)
		}
		codec := &pgtype.ArrayCodec{ElementType: item}
		m.RegisterType(&pgtype.Type{Name: a.name, OID: a.array, Codec: arrayCodec{Codec: codec, item: a.item}})
	}
	m.RegisterDefaultPgType(uuid.UUID{}, "uuid")
	m.RegisterDefaultPgType([]uuid.UUID{}, "_uuid")
	m.RegisterDefaultPgType([]pgtype.Int4{}, "_int4")
	return nil
}

// uuidCodec handles uuid.UUID as the 16 bytes it is. pgx would go through the
// text of its driver.Valuer and sql.Scanner.
type uuidCodec struct{ pgtype.UUIDCodec }

// PlanEncode implements [pgtype.Codec].
func (c uuidCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(uuid.UUID); ok && format == pgtype.BinaryFormatCode {
		return encodeUUID{}
	}
	return c.UUIDCodec.PlanEncode(m, oid, format, value)
}

// PlanScan implements [pgtype.Codec].
func (c uuidCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ok := target.(*uuid.UUID); ok && format == pgtype.BinaryFormatCode {
		return scanUUID{}
	}
	return c.UUIDCodec.PlanScan(m, oid, format, target)
}

type encodeUUID struct{}

func (encodeUUID) Encode(value any, buf []byte) ([]byte, error) {
	id, ok := value.(uuid.UUID)
	if !ok {
		return nil, fmt.Errorf("%T is not a UUID", value)
	}
	return append(buf, id[:]...), nil
}

type scanUUID struct{}

func (scanUUID) Scan(src []byte, target any) error {
	id, ok := target.(*uuid.UUID)
	if !ok || len(src) != len(id) {
		return fmt.Errorf("scan %d bytes into a %T", len(src), target)
	}
	copy(id[:], src)
	return nil
}

// arrayCodec encodes slices of our types directly.
type arrayCodec struct {
	pgtype.Codec
	item uint32 // type of the items
}

// PlanEncode implements [pgtype.Codec].
func (c arrayCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if format == pgtype.BinaryFormatCode {
		switch value.(type) {
		case []uuid.UUID:
			return arrayPlan[uuid.UUID]{c.item, appendUUID}
		case []pgtype.Int4:
			return arrayPlan[pgtype.Int4]{c.item, appendInt4}
		case []int32:
			return arrayPlan[int32]{c.item, appendInt32}
		case []bool:
			return arrayPlan[bool]{c.item, appendBool}
		case []string:
			return arrayPlan[string]{c.item, appendText}
		case [][]byte:
			return arrayPlan[[]byte]{c.item, appendBytes}
		case []*float64:
			return arrayPlan[*float64]{c.item, appendFloat8}
		case []time.Time:
			return arrayPlan[time.Time]{c.item, appendTime}
		case []*time.Time:
			return arrayPlan[*time.Time]{c.item, appendNullTime}
		}
	}
	return c.Codec.PlanEncode(m, oid, format, value)
}

// arrayPlan encodes a slice in the binary format of arrays: the number of
// dimensions, whether there are nulls, the type of the items, length and lower
// bound, then each item after its length. Source: array_send in PostgreSQL's
// arrayfuncs.c.
type arrayPlan[T any] struct {
	item   uint32
	append func(buf []byte, v T) []byte // the item after its length; length -1 is null
}

// Encode implements [pgtype.EncodePlan].
func (p arrayPlan[T]) Encode(value any, buf []byte) ([]byte, error) {
	items, ok := value.([]T)
	if !ok {
		return nil, fmt.Errorf("%T is not an array of the type planned for", value)
	}
	if items == nil {
		return nil, nil
	}
	if len(items) > math.MaxInt32 {
		return nil, fmt.Errorf("an array of %d items is too long", len(items))
	}
	dimensions, hasNulls := uint32(1), uint32(1)
	if len(items) == 0 {
		dimensions = 0
	}
	buf = binary.BigEndian.AppendUint32(buf, dimensions)
	buf = binary.BigEndian.AppendUint32(buf, hasNulls) // it may have
	buf = binary.BigEndian.AppendUint32(buf, p.item)
	if len(items) == 0 {
		return buf, nil
	}
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(items))) // #nosec G115 -- checked above
	buf = binary.BigEndian.AppendUint32(buf, 1)
	for _, v := range items {
		buf = p.append(buf, v)
	}
	return buf, nil
}

const null = math.MaxUint32 // -1

func appendUUID(buf []byte, v uuid.UUID) []byte {
	return append(binary.BigEndian.AppendUint32(buf, uint32(len(v))), v[:]...)
}

func appendInt32(buf []byte, v int32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(buf, 4), uint32(v)) // #nosec G115 -- its bits
}

func appendInt4(buf []byte, v pgtype.Int4) []byte {
	if !v.Valid {
		return binary.BigEndian.AppendUint32(buf, null)
	}
	return appendInt32(buf, v.Int32)
}

func appendText(buf []byte, v string) []byte {
	return append(binary.BigEndian.AppendUint32(buf, uint32(len(v))), v...) // #nosec G115 -- Postgres takes up to 1 GB
}

func appendBool(buf []byte, v bool) []byte {
	buf = binary.BigEndian.AppendUint32(buf, 1)
	if v {
		return append(buf, 1)
	}
	return append(buf, 0)
}

func appendBytes(buf, v []byte) []byte {
	if v == nil {
		return binary.BigEndian.AppendUint32(buf, null)
	}
	return append(binary.BigEndian.AppendUint32(buf, uint32(len(v))), v...) // #nosec G115 -- Postgres takes up to 1 GB
}

func appendFloat8(buf []byte, v *float64) []byte {
	if v == nil {
		return binary.BigEndian.AppendUint32(buf, null)
	}
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(buf, 8), math.Float64bits(*v))
}

// postgresEpoch is 2000-01-01 in microseconds since 1970.
const postgresEpoch = 946684800 * 1_000_000

func appendTime(buf []byte, v time.Time) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(buf, 8), uint64(v.UnixMicro()-postgresEpoch)) // #nosec G115 -- its bits
}

func appendNullTime(buf []byte, v *time.Time) []byte {
	if v == nil {
		return binary.BigEndian.AppendUint32(buf, null)
	}
	return appendTime(buf, *v)
}
