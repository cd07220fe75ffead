"""The members of a ZIP archive, also of one whose members are compressed by Zstandard, as inspect-ai's logs are.

Python's own zipfile reads those from 3.14 on.
"""

import struct
import zlib
from zipfile import BadZipFile, ZipFile, ZipInfo

_ZSTANDARD = 93  # the method's number in a ZIP archive
_LARGEST = 1 << 29  # bytes of one member: what says more is damaged, or would not fit into memory
_HEADER = struct.Struct("<26xHH")  # of a member: how long its name and its extra field are


def read_member(archive: ZipFile, member: ZipInfo) -> bytes:
    """Return what a member holds, once its checksum is that of the archive.

    Raises:
        BadZipFile: The member is damaged, too large, or compressed in a way that is not read.
    """
    if member.file_size > _LARGEST:
        raise BadZipFile(
            f"{member.filename} says that it unpacks to {member.file_size:,} bytes, more than {_LARGEST:,}"
        )
    if member.compress_type != _ZSTANDARD:
        try:
            return archive.read(member)
        except (NotImplementedError, zlib.error, EOFError, RuntimeError) as error:
            raise BadZipFile(str(error)) from None
    return _read_zstandard(archive, member)


def _read_zstandard(archive: ZipFile, member: ZipInfo) -> bytes:
    from zstandard import ZstdDecompressor, ZstdError

    file = archive.fp
    if file is None:
        raise ValueError("the archive is closed")
    try:
        file.seek(member.header_offset)
        lengths = _HEADER.unpack(file.read(_HEADER.size))
        file.seek(sum(lengths), 1)
        with ZstdDecompressor().stream_reader(file.read(member.compress_size), read_across_frames=True) as stream:
            content = stream.read(member.file_size + 1)
    except (ZstdError, struct.error, OSError, ValueError) as error:
        raise BadZipFile(f"{member.filename} cannot be read ({error})") from None
    if len(content) != member.file_size or zlib.crc32(content) != member.CRC:
        raise BadZipFile(f"{member.filename} is not what was written")
    return content
