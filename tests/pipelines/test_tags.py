"""Names in the tags of every format: they are found, taken out, and the content stays the same."""

from __future__ import annotations

import io
import struct
import wave
import zlib
from fractions import Fraction

import av
import docx
import nibabel as nib
import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image, PngImagePlugin
from reportlab.pdfgen.canvas import Canvas

from fmstudio.contracts import pipelines
from fmstudio.types import Source

WHO = "Jane Zebrafinch"  # nobody's name, planted in every tag
TRACE = b"Zebrafinch"
NOISE = np.random.default_rng(3).normal(0, 0.1, 8000).astype(np.float32)
FILM = np.random.default_rng(4).integers(0, 255, (8, 64, 64, 3), np.uint8)


def riff_chunk(name, inside):
    return name + struct.pack("<I", len(inside)) + inside + b"\0" * (len(inside) % 2)


def wav(path):
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((NOISE * 20000).astype("<i2").tobytes())
    sound = out.getvalue()
    info = riff_chunk(
        b"LIST", b"INFO" + riff_chunk(b"INAM", WHO.encode()) + riff_chunk(b"ICMT", WHO.encode())
    )
    more = riff_chunk(b"bext", WHO.encode().ljust(602, b"\0")) + riff_chunk(
        b"iXML", f"<NOTE>{WHO}</NOTE>".encode()
    )
    body = sound[12:] + riff_chunk(b"id3 ", b"ID3" + WHO.encode())
    body = body[:24] + info + more + body[24:]  # behind the chunk "fmt "
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body + WHO.encode())


def sound_by_av(codec, form, rate=16000):
    def write(path):
        with av.open(str(path), "w", format=form) as file:
            file.metadata.update(title=WHO, artist=WHO, comment=WHO)
            stream = file.add_stream(codec, rate=rate)
            stream.layout, stream.bit_rate = "mono", 64_000
            for start in range(0, rate, 1600):
                tone = np.sin(np.arange(start, start + 1600) / 20.0)[None].astype(np.float32) * 0.4
                frame = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
                frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
                resampled = av.AudioResampler(stream.format or "fltp", "mono", rate)
                for each in resampled.resample(frame):
                    file.mux(stream.encode(each))
            file.mux(stream.encode(None))

    return write


def film_by_av(codec, form, pixels="yuv420p"):
    def write(path):
        with av.open(str(path), "w", format=form) as file:
            file.metadata.update(title=WHO, artist=WHO, comment=WHO, copyright=WHO)
            stream = file.add_stream(codec, rate=10)
            stream.width = stream.height = 64
            stream.pix_fmt = pixels
            for picture in FILM:
                file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            file.mux(stream.encode(None))

    return write


def aiff(path):
    soundfile.write(path, NOISE, 8000, format="AIFF", subtype="PCM_16")
    data = path.read_bytes()
    name = b"NAME" + struct.pack(">I", len(WHO)) + WHO.encode() + b"\0" * (len(WHO) % 2)
    path.write_bytes(data[:4] + struct.pack(">I", len(data) - 8 + len(name)) + data[8:] + name)


def au(path):
    soundfile.write(path, NOISE, 8000, format="AU", subtype="PCM_16")
    data, said = path.read_bytes(), WHO.encode().ljust(32, b"\0")
    path.write_bytes(data[:4] + struct.pack(">I", 24 + 32) + data[8:24] + said + data[24:])


def vorbis(path):
    with soundfile.SoundFile(path, "w", 8000, 1, format="OGG", subtype="VORBIS") as file:
        file.title = file.artist = file.comment = WHO
        file.write(NOISE)


def mp3(path):
    soundfile.write(path, NOISE, 16000, format="MP3")
    said = WHO.encode()
    frame = b"TIT2" + struct.pack(">IH", len(said) + 1, 0) + b"\0" + said
    size = len(frame)
    head = b"ID3\x03\0\0" + bytes(((size >> s) & 0x7F) for s in (21, 14, 7, 0))
    path.write_bytes(head + frame + path.read_bytes() + b"TAG" + said.ljust(125, b"\0"))


def exif(turned=6):
    tags = Image.Exif()
    tags[274], tags[315], tags[270] = turned, WHO, WHO
    tags.get_ifd(0x8825)[29] = "2021:01:01"
    tags.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + WHO.encode()
    return tags


PICTURE = Image.fromarray(FILM[0][:48])  # not square, so that its turning shows


def png(path):
    told = PngImagePlugin.PngInfo()
    told.add_text("Comment", WHO)
    told.add_itxt("Patient", WHO)
    told.add_text("Packed", WHO, zip=True)
    PICTURE.save(path, pnginfo=told, exif=exif())
    path.write_bytes(path.read_bytes() + WHO.encode())


def jpeg(path):
    PICTURE.save(path, exif=exif(), comment=WHO.encode(), progressive=True)
    path.write_bytes(path.read_bytes() + WHO.encode())


def tiff(path):
    pages = [PICTURE, PICTURE.rotate(90, expand=True)]
    pages[0].save(path, save_all=True, append_images=pages[1:], exif=exif(1), description=WHO)


def webp(path):
    PICTURE.save(path, exif=exif(), lossless=True, xmp=f"<dc:title>{WHO}</dc:title>".encode())


def gif(path):
    frames = [Image.fromarray(each) for each in FILM]
    frames[0].save(path, save_all=True, append_images=frames[1:], comment=WHO.encode(), duration=80)


def nifti(path):
    volume = nib.Nifti1Image(NOISE[:4096].reshape(16, 16, 16), np.eye(4))
    volume.header["descrip"] = volume.header["db_name"] = WHO.encode()
    volume.header["aux_file"] = WHO.encode()
    volume.header.extensions.append(nib.nifti1.Nifti1Extension("comment", WHO.encode()))
    nib.save(volume, path)


def edf(path):
    def cells(words, width):
        return "".join(word.ljust(width) for word in words)

    record, records = 100, 3
    note = f"+{{}}\x14\x14\0+1\x14{WHO}\x14\0"
    head = cells(["0"], 8) + cells([f"123 F 03-APR-1950 {WHO.replace(' ', '_')}"], 80)
    head += cells([f"Startdate 01-JAN-2021 X {WHO.replace(' ', '_')} X"], 80)
    head += "01.01.2108.30.00" + cells(["768", "EDF+C", str(records), "1", "2"], 8)[:8]
    head += cells(["EDF+C"], 44) + cells([str(records), "1"], 8) + "2".ljust(4)
    head += cells(["ECG", "EDF Annotations"], 16) + cells([WHO, ""], 80) + cells(["mV", ""], 8)
    head += cells(["-1", "-1"], 8) + cells(["1", "1"], 8) + cells(["-32768"] * 2, 8)
    head += cells(["32767"] * 2, 8) + cells(["", ""], 80) + cells([str(record), "60"], 8)
    head += cells(["", ""], 32)
    body = b""
    for number in range(records):
        wave_of = (np.sin(np.arange(record) / 7 + number) * 9000).astype("<i2").tobytes()
        body += wave_of + note.format(number).encode().ljust(120, b"\0")
    path.write_bytes(head.encode("ascii") + body)


def header_of_wfdb(path):
    signal = (np.sin(np.arange(500) / 9) * 900).astype("<i2")
    path.with_suffix(".dat").write_bytes(signal.tobytes())
    path.write_text(
        f"record 1 250 500\nrecord.dat 16 200/mV 16 0 0 0 0 ECG\n# Patient name: {WHO}\n"
    )


def word(path):
    made = docx.Document()
    made.add_paragraph("No effusion, no consolidation.")
    made.core_properties.author = made.core_properties.title = WHO
    made.core_properties.comments = WHO
    made.save(path)


def pdf(path):
    page = Canvas(str(path))
    page.setAuthor(WHO)
    page.setTitle(WHO)
    page.drawString(72, 700, "No effusion, no consolidation.")
    page.save()


def rtf(path):
    path.write_text(rf"{{\rtf1{{\info{{\title {WHO}}}{{\author {WHO}}}}} No effusion.}}")


def workbook(path):
    made = openpyxl.Workbook()
    made.active.append(["time_s", "hr"])
    for second in range(60):
        made.active.append([second, 60 + second % 9])
    made.properties.creator = made.properties.lastModifiedBy = made.properties.title = WHO
    made.active["A1"].comment = openpyxl.comments.Comment("seconds", WHO)
    made.save(path)


def parquet(path):
    columns = {"time_s": np.arange(60.0), "hr": 60 + np.arange(60.0) % 9}
    pq.write_table(pa.table(columns).replace_schema_metadata({"patient": WHO}), path)


FILES = [
    ("audio", "cough.wav", wav),
    ("audio", "cough.aiff", aiff),
    ("audio", "cough.au", au),
    ("audio", "cough.mp3", mp3),
    ("audio", "cough.flac", sound_by_av("flac", "flac")),
    ("audio", "cough.ogg", vorbis),
    ("audio", "cough.opus", sound_by_av("libopus", "ogg", 48000)),
    ("audio", "cough.m4a", sound_by_av("aac", "ipod")),
    ("audio", "cough.wma", sound_by_av("wmav2", "asf")),
    ("video", "clip.mp4", film_by_av("mpeg4", "mp4")),
    ("video", "clip.mov", film_by_av("mpeg4", "mov")),
    ("video", "clip.avi", film_by_av("mjpeg", "avi", "yuvj420p")),
    ("video", "clip.mkv", film_by_av("mpeg4", "matroska")),
    ("video", "clip.gif", gif),
    ("radiology", "film.png", png),
    ("radiology", "film.jpg", jpeg),
    ("radiology", "film.tif", tiff),
    ("radiology", "film.webp", webp),
    ("radiology", "film.nii", nifti),
    ("radiology", "film.nii.gz", nifti),
    ("device_logs", "record.edf", edf),
    ("device_logs", "record.hea", header_of_wfdb),
    ("device_logs", "log.xlsx", workbook),
    ("device_logs", "log.parquet", parquet),
    ("notes", "letter.docx", word),
    ("notes", "letter.pdf", pdf),
    ("notes", "letter.rtf", rtf),
]


def every_byte(content):
    """The bytes of a file, and of what is packed in it, in any usual encoding of characters."""
    found = [content]
    if content[:2] == b"PK":
        import zipfile

        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found += [archive.read(name) for name in archive.namelist()]
    if content[:2] == b"\x1f\x8b":
        found.append(zlib.decompress(content, wbits=31))
    if content.startswith(b"\x89PNG"):
        found += [str(Image.open(io.BytesIO(content)).info).encode()]
    return b"".join([*found, *(each.replace(b"\0", b"") for each in found)])


@pytest.mark.parametrize(("modality", "name", "write"), FILES, ids=[each[1] for each in FILES])
def test_a_name_in_a_files_tags_is_told_and_goes_and_the_content_stays(
    tmp_path, modality, name, write
):
    pipeline, path = pipelines()[modality], tmp_path / name
    write(path)
    source = Source("x", path)
    before = pipeline.read([source])
    told = pipeline.about([source])
    assert TRACE in every_byte(path.read_bytes())

    content = pipeline.stripped(source)
    assert content is not None
    path.write_bytes(content)
    after = pipeline.read([source])

    assert told["direct"]
    assert "Zebrafinch" not in str(told)
    assert TRACE not in every_byte(content)
    assert pipeline.about([source]).get("direct", []) == []
    np.testing.assert_array_equal(before.values, after.values)
    np.testing.assert_array_equal(before.mask, after.mask)
    assert before.facts == after.facts
    assert pipeline.stripped(source) is None


def test_a_file_that_says_nothing_is_left_as_it_is(tmp_path):
    soundfile.write(tmp_path / "cough.wav", NOISE, 8000)
    Image.fromarray(FILM[0]).save(tmp_path / "film.png")

    for modality, name in (("audio", "cough.wav"), ("radiology", "film.png")):
        source = Source("x", tmp_path / name)
        assert pipelines()[modality].stripped(source) is None
        assert not pipelines()[modality].about([source]).get("identifiers")


def test_a_table_whose_first_lines_name_the_patient_says_so(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(f"# Patient name: {WHO}\ntime_s,hr\n" + "\n".join(f"{s},70" for s in range(40)))

    told = pipelines()["device_logs"].about([Source("x", path)])
    assert told["direct"] == ["names"]
