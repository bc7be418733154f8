#!/usr/bin/env bash
# Runs the JVM tests, compiles the whole app against Android 6 (API 23) and stubs of LiteRT, and packs, signs and checks an APK. It holds no
# inference runtime: it shows that the app is whole, and says so when it is asked to run a model. A phone needs the
# Gradle build.
#
# usage: android_demo/make_apk.sh [FOLDER]
#
# FOLDER holds models, as sodkeras convert writes them; default sodkeras/presets, the networks that come with the package.
set -euo pipefail
models=$(realpath -m "${1:-$(dirname "$0")/../sodkeras/presets}")
cd "$(dirname "$0")"
package=org.sodkeras.demo
for tool in javac aapt aapt2 zipalign apksigner unzip zip; do
  command -v "$tool" > /dev/null || {
    echo "$tool is missing: apt-get install openjdk-17-jdk-headless aapt zipalign apksigner unzip zip" >&2
    exit 3
  }
done
ls "$models"/*.tflite > /dev/null 2>&1 || {
  echo "There are no models; run sodkeras demo or sodkeras convert first. Received: $models" >&2
  exit 2
}
./run_tests.sh
./fetch_tools.sh

rm -rf build/apk
mkdir -p build/apk/{gen,stubs,classes,bundle,assets}
json=/usr/share/java/com.android.json.jar
javac --release 8 -Xlint:-options -cp "$json" -d build/apk/bundle $(find core/src/main bundle/src/main -name '*.java')
java -cp "build/apk/bundle:$json" org.sodkeras.bundle.BundleModels "$models" build/apk/assets/models

# Gradle fills in the package's name; the element that this aapt2 does not know concerns the GPU on Android 12 and later.
sed -e "s/<manifest /<manifest package=\"$package\" /; s/\${applicationId}/$package/" \
  -e '/<!-- What the GPU delegate loads/,/\/>/d' app/src/main/AndroidManifest.xml > build/apk/AndroidManifest.xml
aapt2 compile --dir app/src/main/res -o build/apk/res.zip
# The dot in .tflite matters: without it models are stored compressed and cannot be mapped.
aapt2 link -I .tools/android.jar --manifest build/apk/AndroidManifest.xml -A build/apk/assets -0 .tflite \
  --min-sdk-version 23 --target-sdk-version 35 --version-code 1 --version-name 0.1 \
  --java build/apk/gen -o build/apk/unaligned.apk build/apk/res.zip 2> build/apk/aapt2.log \
  || { cat build/apk/aapt2.log >&2; exit 1; }
javac=(javac -source 8 -target 8 -Xlint:all -Xlint:-options,-deprecation -Werror -bootclasspath .tools/android.jar)
"${javac[@]}" -d build/apk/stubs $(find stubs -name '*.java')
"${javac[@]}" -cp build/apk/stubs -d build/apk/classes \
  $(find build/apk/gen core/src/main app/src/main/java -name '*.java')
java -jar .tools/dx.jar --dex --min-sdk-version=23 --output=build/apk/classes.dex build/apk/classes
# What phones run is the dex code: with enjarify (from Debian) it is turned back, and the same tests run on it.
if (cd / && /usr/bin/python3 -c 'import enjarify' 2> /dev/null); then
  apk_folder=$PWD/build/apk
  (cd / && /usr/bin/python3 -m enjarify.main -f -o "$apk_folder/dex.jar" "$apk_folder/classes.dex" > /dev/null)
  ./run_tests.sh build/apk/dex.jar
fi
(cd build/apk && zip -q -j unaligned.apk classes.dex)
zipalign -f -p 4 build/apk/unaligned.apk build/apk/aligned.apk
# A key for this build only, as every debug build has one.
keytool -genkeypair -keystore build/apk/key.jks -storepass android -keypass android -alias key -keyalg RSA \
  -keysize 2048 -validity 10000 -dname 'CN=Android Debug' 2> /dev/null
apksigner sign --ks build/apk/key.jks --ks-pass pass:android --out build/apk/sodkeras-without-runtime.apk \
  build/apk/aligned.apk

apk=build/apk/sodkeras-without-runtime.apk
fail() { echo "check failed: $1" >&2; exit 1; }
apksigner verify --min-sdk-version 23 --verbose "$apk" | grep -E '^Verifies|v[12] scheme' || fail 'the signature'
zipalign -c -p 4 "$apk" || fail 'the alignment'
aapt dump badging "$apk" | grep -E '^(package|sdkVersion|targetSdkVersion|launchable-activity|application):'
[ "$(aapt dump permissions "$apk" | grep -c uses-permission)" = 1 ] || fail 'one permission'
aapt dump permissions "$apk" | grep -F android.permission.CAMERA || fail 'the camera is the one permission'
stored=$(unzip -v "$apk" 'assets/models/*.tflite' | grep -c ' Stored .*\.tflite$' || true)
[ "$stored" = "$(ls "$models"/*.tflite | wc -l)" ] || fail 'models are stored uncompressed'
unzip -v "$apk" 'assets/models/*.tflite' | grep '\.tflite$'
grep -q 'Lorg/tensorflow/lite/Interpreter;' build/apk/classes.dex || fail 'the app uses LiteRT'
unzip -l "$apk" | grep -q 'lib/.*\.so' && fail 'there is no runtime'
echo "android_demo/$apk: $stored models, NO inference runtime inside; build with Gradle for a phone"
