#!/usr/bin/env python3
"""Checks an audit journal, and the signed log files made from it, without Strongroom.

Written from docs/formats/journal.md and docs/formats/log-files.md alone, with Python's
standard library alone: it shares no code with what it checks. It reads, changes nothing,
and needs no network.

Exit status: 0 all is good, 1 something is not; then each line that begins with "bad: "
names the first bad record or file of its kind.
"""

import argparse
import base64
import datetime
import gzip
import hashlib
import json
import os
import re
import struct
import sys
import zlib


class Fault(Exception):
    """What somebody altered, removed, moved or forged."""


class NoBatch(Exception):
    """No whole batch stands at a place where one could."""


# --------------------------------------------------------------------- CRC-32C

# x^6777 = x^484 + x^100 + 1 modulo the polynomial of CRC-32C, and so with all
# three doubled. It shortens a message to its last 6,777 bits in steps of nearly half
# its length, each a few operations on long integers; a loop over bytes takes twenty times as long.
FOLD = (6777, 484, 100)
CRC_OF_BYTE = []
for crc in range(256):
    for _ in range(8):
        crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    CRC_OF_BYTE.append(crc)


def crc32c(message):
    bits, value = 8 * len(message), int.from_bytes(message, "little") ^ 0xFFFFFFFF
    n, m, k = FOLD
    while 2 * n < bits:
        n, m, k = 2 * n, 2 * m, 2 * k
    while n >= FOLD[0]:
        while bits - n >= 8:  # the lowest bit is that of the highest power
            cut = min(bits - n, n - m) & ~7
            high = value & ((1 << cut) - 1)
            value = value >> cut ^ high << n - m - cut ^ high << n - k - cut ^ high << n - cut
            bits -= cut
        n, m, k = n // 2, m // 2, k // 2
    crc = 0
    for byte in value.to_bytes(bits // 8, "little"):
        crc = CRC_OF_BYTE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


assert crc32c(bytes(range(256)) * 16) == 0x9C71FE32


# ----------------------------------------------------------------- the journal

SECTOR = 512
SEGMENT_HEADER = struct.Struct("<8sI4s16sQQQQq32s32s")
BATCH_HEADER = struct.Struct("<8sIIQII32s")
RECORD_HEADER = struct.Struct("<IB3sQq")
LARGEST_BATCH = 4 << 20
RECORDS, SEAL = 1, 2
CHECKPOINT, EVENT, HSM_ENTRY, TRIM = 1, 2, 4, 7


class Segment:
    """A segment file, its header checked."""

    def __init__(self, directory, number):
        self.number, self.name = number, f"{number:020d}.journal"
        self.file = open(os.path.join(directory, self.name), "rb")
        self.length = os.fstat(self.file.fileno()).st_size
        header = self.read(0, SECTOR)
        reason = self.parse(header) if len(header) == SECTOR else "segment header is cut short"
        if reason:
            raise Fault(reason)

    def parse(self, header):
        """Returns why the header is bad."""
        magic, version, zero, self.journal, number, self.first, self.size, self.end_before, _, self.before, stated = (
            SEGMENT_HEADER.unpack_from(header)
        )
        self.after = hashlib.sha256(header[:104]).digest()
        if magic != b"SRJOURNL":
            return "not a journal segment"
        if version != 1:
            return f"format version {version} is not known"
        if stated != self.after:
            return "segment header does not match its hash"
        if any(zero) or any(header[136:]):
            return "reserved bytes of the segment header are not zero"
        if number != self.number:
            return f"file holds segment {number}"
        return None

    def read(self, offset, length):
        self.file.seek(offset)
        return self.file.read(length)

    def batch(self, at, limit):
        """Returns the batch at an offset, which must end before limit."""
        header = self.read(at, BATCH_HEADER.size) if at + BATCH_HEADER.size <= limit else b""
        if len(header) < BATCH_HEADER.size or not header.startswith(b"\xffSRBATC\xfe"):
            raise NoBatch("no batch begins here")
        end = BATCH_HEADER.size + BATCH_HEADER.unpack(header)[1]
        whole = -(-end // SECTOR) * SECTOR
        if end > LARGEST_BATCH or at + whole > limit:
            raise NoBatch("batch is longer than a batch may be, or than its segment")
        data = self.read(at, whole)
        batch = Batch(data[:end], whole)
        if len(data) < whole or crc32c(data[:28] + data[32:end]) != batch.checksum:
            raise NoBatch("batch does not match its checksum")
        if any(data[end:]):
            raise NoBatch("padding of the batch is not zero")
        return batch

    def used(self, start):
        """Yields the offsets of the sectors from start on that are not all zero."""
        for at in range(start, self.length, SECTOR):
            if any(self.read(at, SECTOR)):
                yield at


class Batch:
    """A batch whose checksum is right."""

    def __init__(self, data, whole):
        _, _, self.count, self.first, self.type, self.checksum, self.before = BATCH_HEADER.unpack_from(data)
        self.data, self.whole = data, whole

    def misplaced(self, number, chain):
        """Returns why it cannot be the batch that begins with a record."""
        if self.first != number:
            return f"batch begins with record {self.first}"
        if self.before != chain:
            return "batch does not continue the hash chain"
        empty = len(self.data) == BATCH_HEADER.size
        if (self.type, self.count > 0, empty) not in ((RECORDS, True, False), (SEAL, False, True)):
            return f"batch of type {self.type} with {self.count} records"
        return None


class Record:
    __slots__ = ("number", "kind", "body", "hash")

    def __init__(self, number, kind, body, hash_after):
        self.number, self.kind, self.body, self.hash = number, kind, body, hash_after


class Journal:
    """A walk over a journal's directory, from its first record to its last."""

    def __init__(self, directory):
        self.directory = directory
        names = sorted(n for n in os.listdir(directory) if re.fullmatch(r"\d+\.journal", n))
        if not names:
            raise Fault(f"no journal in {directory}")
        self.numbers = [int(name.split(".")[0]) for name in names]
        self.oldest = first = self.open(self.numbers[0])
        if first.number == 1 and (first.first, first.end_before, first.before) != (1, 0, bytes(32)):
            raise Fault(f"record 1: {first.name}, offset 0: first segment does not begin a journal")
        self.id, self.first, self.next, self.chain = first.journal.hex(), first.first, first.first, first.after
        self.points = [first.before, first.after]  # the chain after the last record, and after each header since
        self.begins = 1, 1  # the oldest segment that there must be, and its first record
        self.pins = {}  # record number: [(chain's hash, who says so)]
        self.pinned, self.trusted, self.too_old = 0, 0, 0
        self.segments, self.records, self.torn = 0, 0, 0

    def open(self, number):
        try:
            return Segment(self.directory, number)
        except Fault as fault:
            raise Fault(f"record 1, or the first that is left: {number:020d}.journal, offset 0: {fault}")

    def pin(self, journal, number, chain, source):
        """Takes in what was stated elsewhere of the chain after a record."""
        if journal != self.id:
            raise Fault(f"record {self.first} and all others: this is journal {self.id}, and {source} is of {journal}")
        if number < self.first - 1:
            self.too_old += 1
        else:
            self.pins.setdefault(number, []).append((chain, source))

    def begins_in(self, signed):
        """Wants what is left of the journal to begin in what digests sign: retention removes no more."""
        newest = max(signed, default=0)
        if 0 < newest < self.first:
            raise Fault(
                f"record {newest + 1}: the journal begins with record {self.first}, behind record {newest}, the newest that digests sign: "
                f"its beginning was removed by somebody, or all of it was made anew"
            )

    def fault(self, segment, offset, reason):
        return Fault(f"record {self.next}: {segment}, offset {offset}: {reason}")

    def walk(self):
        """Yields every record once it is checked."""
        segment = self.oldest
        for number in self.numbers[1:] + [None]:
            following, bad = None, None
            if number == segment.number + 1:
                try:
                    following = Segment(self.directory, number)
                except Fault as fault:
                    bad = f"{number:020d}.journal, offset 0: {fault}"
            elif number is not None:
                bad = f"{segment.number + 1:020d}.journal: segment is missing"
            yield from self.segment(segment, following, bad)
            if bad:
                raise Fault(f"record {self.next}: {bad}")
            if following:
                self.follow(segment, following)
            segment = following
        self.end()

    def follow(self, segment, following):
        """Checks that a header continues the segment before it."""
        if (following.journal, following.first, following.before) != (segment.journal, self.next, self.chain):
            raise self.fault(following.name, 0, "segment does not continue the one before it")
        self.chain = following.after
        self.points.append(self.chain)

    def segment(self, segment, following, bad):
        """Yields the records of a segment, up to where its successor says that it ends."""
        at, limit = SECTOR, following.end_before if following else segment.length
        while at < limit or not following:
            try:
                batch = segment.batch(at, limit)
            except NoBatch as reason:
                if following:
                    raise self.fault(segment.name, at, reason)
                if not bad:
                    self.open_end(segment, at, reason)
                break
            reason = batch.misplaced(self.next, self.chain)
            if reason:
                raise self.fault(segment.name, at, reason)
            if batch.type == SEAL:
                if following:
                    raise self.fault(segment.name, at, "sealed before its end")
                self.sealed_end(segment, at + batch.whole)
                break
            yield from self.batch(segment, at, batch)
            at += batch.whole
        self.segments += 1

    def batch(self, segment, at, batch):
        """Yields the records of a batch."""
        data, begin = batch.data, BATCH_HEADER.size
        for number in range(batch.first, batch.first + batch.count):
            length, kind, zero, stated, _ = (
                RECORD_HEADER.unpack_from(data, begin) if begin + 24 <= len(data) else (len(data), 0, b"", 0, 0)
            )
            end = begin + RECORD_HEADER.size + length
            if end + 32 > len(data):
                raise self.fault(segment.name, at + begin, "record is longer than its batch")
            chain = hashlib.sha256(data[begin - 32 : end]).digest()
            if chain != data[end : end + 32]:
                raise self.fault(segment.name, at + begin, "record does not match its hash")
            if stated != number or any(zero):
                raise self.fault(segment.name, at + begin, f"record has number {stated}, or reserved bytes that are not zero")
            self.settle()
            self.next, self.chain, self.points, self.records = number + 1, chain, [chain], self.records + 1
            record = Record(number, kind, data[begin + RECORD_HEADER.size : end], chain)
            if self.oldest.number > 1 and kind in (CHECKPOINT, TRIM):
                self.mark(record)
            yield record
            begin = end + 32
        if begin != len(data):
            raise self.fault(segment.name, at + 12, f"batch holds more than the {batch.count} records that it states")

    def mark(self, record):
        """Takes in which segments the journal's own records say are removed."""
        body = json.loads(record.body)
        mark = body.get("trimmed") if record.kind == CHECKPOINT else body
        if mark:
            self.begins = max(self.begins, (mark["segment"], mark["firstSequence"]))

    def sealed_end(self, segment, end):
        if segment.length not in (end, segment.size):
            raise self.fault(segment.name, end, "file has a wrong length after its seal")
        for at in segment.used(end):
            raise self.fault(segment.name, at, "bytes after the seal")

    def open_end(self, segment, end, reason):
        """Tells a write that never finished from an alteration."""
        if segment.length != segment.size:
            raise self.fault(segment.name, end, "segment is cut short: it has neither a seal nor a successor")
        for at in segment.used(end):
            self.torn += 1
            try:
                later = segment.batch(at, segment.length)
            except NoBatch:
                continue
            if later.first >= self.next:
                raise self.fault(segment.name, end, f"{reason}, but a later batch is whole")

    def settle(self):
        """Compares the chain after the newest record with what was stated of it elsewhere."""
        for stated, source in self.pins.pop(self.next - 1, ()):
            if stated not in self.points:
                raise Fault(
                    f"records {self.trusted + 1} to {self.next - 1}: at least one is not what was recorded first, "
                    f"or the chain was made again: it is not the one that {source} states"
                )
            self.pinned, self.trusted = self.pinned + 1, self.next - 1

    def end(self):
        self.settle()
        if self.oldest.number > self.begins[0]:
            missing, record = self.begins
            raise Fault(f"record {record}: {missing:020d}.journal: segment is missing, and no record says that it was removed")
        for number in sorted(self.pins):
            raise Fault(
                f"record {self.next}: it and all up to record {number} are missing: the journal ends, "
                f"but {self.pins[number][0][1]} states record {number}"
            )


# ------------------------------------------------------------------ signatures


def der(data, tag):
    """Splits a DER element with a tag off the front: its content, and what follows."""
    if len(data) < 2 or data[0] != tag:
        raise ValueError("not the DER that it should be")
    length, at = data[1], 2
    if length & 0x80:
        at += length & 0x7F
        length = int.from_bytes(data[2:at], "big")
    if at + length > len(data):
        raise ValueError("DER is cut short")
    return data[at : at + length], data[at + length :]


SEQUENCE, INTEGER, BIT_STRING = 0x30, 0x02, 0x03


class PublicKey:
    """An RSA public key, from a PKCS #1 RSAPublicKey or an X.509 SubjectPublicKeyInfo."""

    def __init__(self, data):
        inside, _ = der(data, SEQUENCE)
        if inside[0] == SEQUENCE:
            bits, _ = der(der(inside, SEQUENCE)[1], BIT_STRING)
            data = bits[1:]
            inside, _ = der(data, SEQUENCE)
        n, rest = der(inside, INTEGER)
        e, _ = der(rest, INTEGER)
        self.n, self.e = int.from_bytes(n, "big"), int.from_bytes(e, "big")
        self.fingerprint = hashlib.sha256(data).hexdigest()

    def signed(self, message, signature):
        """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2.2)."""
        length = (self.n.bit_length() + 7) // 8
        digest_info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(message).digest()
        padded = b"\x00\x01" + b"\xff" * (length - len(digest_info) - 3) + b"\x00" + digest_info
        if len(signature) != length:
            return False
        return pow(int.from_bytes(signature, "big"), self.e, self.n).to_bytes(length, "big") == padded


def read_keys(paths):
    keys = {}
    for path in paths:
        with open(path, encoding="ascii") as file:
            for block in re.findall(r"-----BEGIN [A-Z ]*PUBLIC KEY-----(.*?)-----END", file.read(), re.DOTALL):
                key = PublicKey(base64.b64decode(block))
                keys[key.fingerprint] = key
    return keys


# ------------------------------------------------------- digests and log files

DIGEST = re.compile(r"(?:^|/)AWSLogs/(\d{12})/CloudTrail-Digest/([a-z0-9-]+)/.*_(\d{8}T\d{6}Z)\.json\.gz$")
LOG_FILE = re.compile(r"(?:^|/)AWSLogs/\d{12}/(?:CloudTrail|CloudHSM)/.*\.gz$")
EVENTS_OF = re.compile(r"(?:^|/)AWSLogs/\d{12}/CloudTrail/([a-z0-9-]+)/")
ENTRIES_OF = re.compile(r"(?:^|/)AWSLogs/\d{12}/CloudHSM/[a-z0-9-]+/[^/]+/([^/]+)/")


def unpacked(root, name):
    try:
        with gzip.open(os.path.join(root, name)) as file:
            return file.read()
    except FileNotFoundError:
        raise Fault(f"{name}: the file is missing")
    except (OSError, EOFError, zlib.error) as error:
        raise Fault(f"{name}: cannot be unpacked: {error}")


class Digest:
    """A digest file, as it stands."""

    def __init__(self, root, name):
        self.name, self.content = name, unpacked(root, name)
        self.hash = hashlib.sha256(self.content).hexdigest()
        try:
            with open(os.path.join(root, name + ".sig"), encoding="ascii") as file:
                self.signature = file.read().strip()
            self.json = json.loads(self.content)
            journal = self.json["strongroomJournal"]
            self.journal, self.first, self.last = journal["journalId"], journal["firstSequence"], journal["lastSequence"]
            self.chain = bytes.fromhex(journal["lastHash"])
            self.files = [LogFile(root, entry) for entry in self.json["logFiles"]]
            self.previous = {key: self.json["previousDigest" + key] for key in ("S3Object", "HashValue", "Signature")}
            self.signed = "\n".join((
                self.json["digestEndTime"],
                self.json["digestS3Bucket"] + "/" + self.json["digestS3Object"],
                self.hash,
                self.previous["Signature"] or "null",
            ))
        except FileNotFoundError:
            raise Fault(f"{name}.sig: the signature of a digest is missing")
        except (KeyError, TypeError, ValueError) as error:
            raise Fault(f"{name}: not a digest: {error!r}")

    def check(self, keys):
        """Checks what it says of itself, its signature and its log files."""
        if self.json["digestS3Object"] != self.name:
            raise Fault(f"{self.name}: is the digest {self.json['digestS3Object']}, under another name")
        if keys:
            fingerprint = self.json["digestPublicKeyFingerprint"]
            if fingerprint not in keys:
                raise Fault(f"{self.name}: signed by key {fingerprint}, which is none of those given")
            if not re.fullmatch("([0-9a-f]{2})+", self.signature) or not keys[fingerprint].signed(
                self.signed.encode(), bytes.fromhex(self.signature)
            ):
                raise Fault(f"{self.name}: its signature is not that of key {fingerprint}")
        for file in self.files:
            file.check()

    def follows(self, before):
        """Checks that it continues the digest before it."""
        if before is None:
            if self.previous["S3Object"] is not None:
                raise Fault(f"{self.previous['S3Object']}: the digest is missing; {self.name} names it as the one before it")
            return
        if self.previous["S3Object"] is None:
            raise Fault(f"{self.name}: begins a chain of its own, after {before.name}")
        if self.previous["S3Object"] != before.name:
            raise Fault(f"{self.previous['S3Object']}: the digest is missing; {self.name} names it as the one before it")
        if (self.previous["HashValue"], self.previous["Signature"]) != (before.hash, before.signature):
            raise Fault(f"{before.name}: is not the digest that {self.name} states with its hash and signature")
        if self.journal == before.journal and self.first != before.last + 1:
            raise Fault(f"{self.name}: goes on with record {self.first}, after {before.last}")


class LogFile:
    """What a digest tells of a log file."""

    def __init__(self, root, entry):
        self.root, self.name, self.hash = root, entry["s3Object"], entry["hashValue"]
        journal = entry["strongroomJournal"]
        self.first, self.last, self.count = journal["firstSequence"], journal["lastSequence"], journal["records"]
        events, entries = EVENTS_OF.search(self.name), ENTRIES_OF.search(self.name)
        self.stream = (EVENT, events[1]) if events else (HSM_ENTRY, entries[1])

    def check(self):
        content = unpacked(self.root, self.name)
        if hashlib.sha256(content).hexdigest() != self.hash:
            raise Fault(f"{self.name}: is not the file that its digest states with its hash")

    def records(self):
        """Returns its events as JSON, or its HSM entries as texts."""
        content = unpacked(self.root, self.name)
        if self.stream[0] == EVENT:
            return json.loads(content)["Records"]
        return content.decode().split("\n\n")[:-1]


class Export:
    """All digests and log files in a directory, by Region."""

    def __init__(self, root, keys):
        self.root, self.keys, self.faults = root, keys, []
        self.chains = {}  # (account, Region): its good digests, oldest first
        names = [os.path.relpath(os.path.join(at, n), root).replace(os.sep, "/") for at, _, ns in os.walk(root) for n in ns]
        found = {}
        for name in names:
            match = DIGEST.search(name)
            if match:
                found.setdefault(match.group(1, 2), []).append((match[3], name))
        if not found and keys:
            self.faults.append(f"no digest in {root}")
        for chain, digests in sorted(found.items()):
            self.chains[chain] = []
            try:
                self.check(chain, [name for _, name in sorted(digests)])
            except Fault as fault:
                self.faults.append(str(fault))
        named = {f.name for digests in self.chains.values() for d in digests for f in d.files}
        self.unnamed = sorted(n for n in names if LOG_FILE.search(n) and n not in named)

    def check(self, chain, names):
        before = None
        for name in names:
            digest = Digest(self.root, name)
            digest.follows(before)
            digest.check(self.keys)
            self.chains[chain].append(digest)
            before = digest

    def of(self, journal):
        """Returns the good digests of a journal. One may have been accepted after another."""
        digests = [d for chain in self.chains.values() for d in chain]
        newest = max(digests, key=lambda d: d.json["digestEndTime"], default=None)
        if newest and newest.journal != journal:
            raise Fault(f"{newest.name}: is of journal {newest.journal}, and this is {journal}")
        return [d for d in digests if d.journal == journal]


class Stream:
    """The records of a Region, or of an HSM, as they stand in log files."""

    def __init__(self):
        self.files, self.records, self.next = [], None, None

    def begin(self, first):
        """Passes the files that are older than the journal's first record."""
        self.files = [file for file in self.files if file.last >= first]
        self.records = self.read()
        self.take()
        self.inside = bool(self.files) and self.files[0].first < first

    def seek(self, same):
        """Passes what is older than the journal, up to the record that is looked for."""
        if self.inside:
            self.inside, here = False, [self.next]
            while here[-1] and here[-1][0] is here[0][0] and not same(here[-1][1]):
                here.append(next(self.records, None))
            if here[-1] and here[-1][0] is here[0][0]:
                self.next = here[-1]

    def read(self):
        for file in self.files:
            records = file.records()
            if len(records) != file.count:
                raise Fault(f"{file.name}: has {len(records)} records, and its digest says {file.count}")
            for record in records:
                yield file, record

    def take(self):
        taken, self.next = self.next, next(self.records, None)
        return taken


class Comparison:
    """Compares the journal's records, in order, with what good digests say was handed on."""

    def __init__(self, export, journal):
        """Takes an export that is checked, and a journal that is to be walked over."""
        self.ranges = {}  # Region: the first and the last record that its digests stand for
        self.streams = {}  # (kind, Region or HSM)
        self.home, self.equal, self.later, self.earlier = None, 0, 0, 0
        for (_, region), digests in export.chains.items():
            for digest in (d for d in digests if d.journal == journal.id):
                first, _ = self.ranges.setdefault(region, (digest.first, 0))
                self.ranges[region] = first, digest.last
                self.home = digest.name.split("_")[-2]
                for file in digest.files:
                    self.streams.setdefault(file.stream, Stream()).files.append(file)
        for stream in self.streams.values():
            stream.begin(journal.first)

    def take(self, record):
        """Takes in the journal's next record."""
        if record.kind not in (EVENT, HSM_ENTRY):
            return
        body = json.loads(record.body)
        region, stream, same = self.place(record.kind, body)
        first, last = self.ranges.get(region, (0, 0))
        if record.number < first:
            self.earlier += 1
        elif record.number > last:
            self.later += 1
        else:
            self.compare(record.number, body, stream, same)

    def place(self, kind, body):
        if kind == EVENT:
            region = body["awsRegion"] if body["awsRegion"] in self.ranges else self.home
            return region, (EVENT, region), lambda event: event == body
        return self.home, (HSM_ENTRY, re.sub("[^A-Za-z0-9.-]", "-", body["hsm"])), lambda text: entry_is(body, text)

    def compare(self, number, body, stream, same):
        stream = self.streams.get(stream)
        if stream:
            stream.seek(same)
        if not stream or not stream.next or stream.next[0].first > number:
            raise Fault(f"record {number}: stands in none of the log files whose digests say that they have it")
        file, there = stream.take()
        if not same(there):
            raise Fault(f"record {number}: is not what {file.name} has of it")
        self.equal += 1

    def end(self, last):
        for stream in self.streams.values():
            if stream.next and stream.next[0].last <= last:
                raise Fault(f"{stream.next[0].name}: has a record more than the journal")


def entry_is(entry, text):
    """Says whether a text is an HSM entry as docs/formats/hsm-log.md prints it."""
    at = datetime.datetime.strptime(entry["time"], "%Y-%m-%dT%H:%M:%S.%f%z")
    micros = (at - datetime.datetime.fromtimestamp(0, datetime.timezone.utc)) // datetime.timedelta(microseconds=1)
    want = [
        f"Time: {at:%m/%d/%y %H:%M:%S.%f}, usecs:{micros}",
        f"Sequence No : {entry['sequenceNo']:#x}",
        f"Reboot counter : {entry['rebootCounter']:#x}",
        f"Command Type(hex) : {entry['commandType']} ({entry['commandTypeValue']:#x})",
        f"Opcode : {entry['opcode']} ({entry['opcodeValue']:#x})",
        f"Session Handle : {entry['sessionHandle']:#x}",
        f"Response : {entry['response']}",
        f"Log type : {entry['logType']} ({entry['logTypeValue']})",
    ]
    if entry["logTypeValue"] == 1:
        want += [f"Priv/Secret Key Handle : {entry['privateHandle']}", f"Public Key Handle : {entry['publicHandle']}"]
    lines = text.split("\n")
    if entry["logTypeValue"] == 2:
        name = entry["userName"] if re.fullmatch(r"[ !#-\[\]-~]*", entry["userName"]) else None  # else it is escaped
        user = lines[8:]
        return lines[:8] == want and len(user) == 2 and name in (None, user[0].removeprefix("User Name : "))
    return lines == want


# ------------------------------------------------------------------------ main


def point(text):
    """Parses JOURNAL:NUMBER:HASH."""
    journal, number, chain = text.split(":")
    return journal, int(number), bytes.fromhex(chain)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--journal", metavar="DIR", help="the journal: <data_dir>/journal, or a copy")
    parser.add_argument("--export", metavar="DIR", help="what holds AWSLogs, or its prefix: <data_dir>/trail, or a bucket's copy")
    parser.add_argument("--public-key", metavar="PEM", action="append", default=[], help="file of keys that sign digests")
    kept = "JOURNAL:NUMBER:HASH, as `strongroom audit head` printed it and somebody kept it elsewhere"
    parser.add_argument("--head", metavar="HEAD", type=point, action="append", default=[], help=kept)
    kept = "the same of a point that digests had reached: those of all Regions have to reach it"
    parser.add_argument("--signed", metavar="HEAD", type=point, action="append", default=[], help=kept)
    args = parser.parse_args()
    if not args.journal and not args.export:
        parser.error("nothing to check: want --journal or --export, or both")
    return args


def check_export(args):
    export = Export(args.export, read_keys(args.public_key))
    for (account, region), digests in export.chains.items():
        if digests:
            files = sum(len(d.files) for d in digests)
            print(f"Region {region} of {account}: {len(digests)} digests are good, and {files} log files, up to record {digests[-1].last}")
        if digests and digests[0].previous["S3Object"]:
            print(f"  not checked: what is older than {digests[0].name}")
        for journal, number, _ in args.signed:
            if not any(d.journal == journal and d.last >= number for d in digests):
                reached = digests[-1].last if digests else 0
                export.faults.append(
                    f"record {reached + 1}: no digest of Region {region} reaches it, and one had reached record {number}: "
                    f"newer digests were removed, or all was put back to an earlier state"
                )
    if not args.public_key:
        print("not checked: signatures, since no keys are given. Whoever can write the files could have made them all anew")
    if export.unnamed:
        print(f"not checked: {len(export.unnamed)} log files that no digest names, the first of them {export.unnamed[0]}")
    return export


def check_journal(args, export):
    journal, comparison = Journal(args.journal), None
    for kept in args.head + args.signed:
        journal.pin(*kept, "the head that was given")
    if export:
        for digest in export.of(journal.id):
            journal.pin(digest.journal, digest.last, digest.chain, "digest " + digest.name)
        journal.begins_in([digest.last for digest in export.of(journal.id) if digest.journal == journal.id])
        comparison = Comparison(export, journal)
    for record in journal.walk():
        if comparison:
            comparison.take(record)
    if comparison:
        comparison.end(journal.next - 1)
    report(journal, comparison)


def report(journal, comparison):
    print(f"journal {journal.id}: records {journal.first} to {journal.next - 1} are good, in {journal.segments} segments")
    if journal.first > 1:
        print(f"  not checked: records 1 to {journal.first - 1}, which were removed, and {journal.too_old} points stated of them")
    if journal.torn:
        print(f"  {journal.torn} sectors after the last record: a write that never finished, or an alteration of the newest records")
    print(f"  {journal.pinned} points of its chain are as they were stated elsewhere")
    if comparison:
        print(f"  {comparison.equal} of its events and HSM entries are those in log files")
        print(f"  not compared: {comparison.earlier} that are older than the digests, {comparison.later} that no digest covers yet")
    print(f"  head {journal.id}:{journal.next - 1}:{journal.chain.hex()}")


def main():
    args = arguments()
    export = check_export(args) if args.export else None
    faults = export.faults if export else []
    if args.journal:
        try:
            check_journal(args, export)
        except Fault as fault:
            faults.append(str(fault))
    for fault in faults:
        print(f"bad: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
