# As `apicurio/apicurio-registry-mem` to those who start it: settings come as variables, and are lost with the container.
FROM obstream/java:17
COPY libraries /opt/registry
WORKDIR /opt/registry
USER nobody
CMD ["sh", "-c", "exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -jar *-runner.jar"]
