import com.google.gson.Gson;
import com.google.gson.JsonObject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.util.VersionInfo;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;

/** S3Presigner in a loop, as a contestant: process.go has the protocol. */
public final class PresignerLoop {
  record Task(List<String> keys, boolean want_urls) {}

  public static void main(String[] args) throws Exception {
    var gson = new Gson();
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var setup = gson.fromJson(in.readLine(), JsonObject.class);
    var bucket = setup.get("bucket").getAsString();
    var expiresIn = Duration.ofSeconds(setup.get("expires_in").getAsInt());
    var credentials = AwsSessionCredentials.create(
        setup.get("access_key_id").getAsString(),
        setup.get("secret_access_key").getAsString(),
        setup.get("session_token").getAsString());
    try (var presigner = S3Presigner.builder()
        .region(Region.of(setup.get("region").getAsString()))
        .credentialsProvider(StaticCredentialsProvider.create(credentials))
        .build()) {
      System.out.println(gson.toJson(Map.of("version", VersionInfo.SDK_VERSION)));
      for (String line; (line = in.readLine()) != null; ) {
        var task = gson.fromJson(line, Task.class);
        var urls = new ArrayList<String>(task.keys().size());
        var start = System.nanoTime();
        for (var key : task.keys()) {
          urls.add(presigner.presignGetObject(p -> p
              .signatureDuration(expiresIn)
              .getObjectRequest(g -> g.bucket(bucket).key(key))).url().toString());
        }
        var ns = System.nanoTime() - start;
        System.out.println(gson.toJson(task.want_urls() ? Map.of("ns", ns, "urls", urls) : Map.of("ns", ns)));
      }
    }
  }
}
