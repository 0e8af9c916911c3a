#!/bin/sh
# data.sh PYTHON FOLDER: makes small files of the kinds that the tools read.
set -eu
python=$1
mkdir -p "$2"
cd "$2"
"$python" - <<'PYTHON'
import zipfile

import h5netcdf
import numpy
import pandas

table = pandas.DataFrame({"n": range(60000), "name": [f"row {i * 7919 % 60000}" for i in range(60000)]})
table.to_csv("table.csv", index=False)
table.to_parquet("table.parquet", row_group_size=15000)
with h5netcdf.File("grid.nc", "w") as f:
    f.dimensions = {"x": 200, "y": 300}
    f.create_variable("n", ("x", "y"), data=numpy.arange(60000.0).reshape(200, 300))
with zipfile.ZipFile("tiny-1.0-py3-none-any.whl", "w") as z:
    z.writestr("tiny.py", "")
    z.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    z.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    z.writestr("tiny-1.0.dist-info/RECORD", "")
with open("reads.sam", "w") as f:
    f.write("@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:one\tLN:1000000\n")
    for i in range(5000):
        f.write(f"r{i}\t0\tone\t{i * 100 + 1}\t60\t50M\t*\t0\t0\t{'ACGTT' * 10}\t{'IFHGE' * 10}\n")
PYTHON
gdal_create -q -of GTiff -outsize 600 600 -bands 3 -burn 1 -burn 2 -burn 3 -a_srs EPSG:4326 -a_ullr 10 50 11 49 -co TILED=YES grid.tif
gdal_create -q -of GTiff -outsize 1200 1200 -bands 3 -burn 7 large.tif
samtools view -b -o reads.bam reads.sam
samtools index reads.bam
# Its index is at its end, so that a reader has to seek.
ffmpeg -v error -f lavfi -i testsrc=duration=12:size=320x240:rate=12 -c:v mpeg4 -b:v 800k film.mp4
