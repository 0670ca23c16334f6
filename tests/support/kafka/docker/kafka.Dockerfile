# As `apache/kafka` to those who start it: settings come as KAFKA_… variables, data lies where log.dirs says.
FROM obstream/java:17
COPY libraries /opt/kafka/libs
COPY launch-kafka log4j2.properties /etc/kafka/docker/
RUN mkdir -p /opt/kafka/config /mnt/shared/config && chown nobody /opt/kafka/config \
 && touch /etc/kafka/docker/server.properties \
          /etc/kafka/docker/log4j2.yaml /etc/kafka/docker/tools-log4j2.yaml \
          /etc/kafka/docker/log4j.properties /etc/kafka/docker/tools-log4j.properties
USER nobody
CMD ["/etc/kafka/docker/launch-kafka"]
