# ruff: noqa: E501 - Hangul takes two columns
"""Right answers that name things in another order, deny, contrast or turn round: none of them swaps anything."""

from __future__ import annotations

RIGHT_ANSWERS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "How do BERT and GPT differ?",
        ("BERT is bidirectional and predicts masked words. GPT is unidirectional and predicts the next word."),
        ("BERT never predicts the next word, GPT never predicts masked words.",),
    ),
    (
        "BERT와 GPT의 차이는?",
        "BERT는 양방향으로 문맥을 보며 가려진 단어를 예측한다. GPT는 왼쪽에서 오른쪽으로 보며 다음 단어를 예측한다.",
        (
            "BERT는 왼쪽에서 오른쪽으로 보며 다음 단어를 예측하지 않고, GPT는 양방향으로 문맥을 보며 가려진 단어를 예측하지 않는다.",
            "GPT는 양방향으로 문맥을 보지 않는다. BERT는 다음 단어를 예측하지 않는다.",
            "흔히 BERT는 다음 단어를 예측하고 GPT는 가려진 단어를 예측한다고 생각하지만 사실은 그 반대이다.",
            "BERT는 다음 단어를 예측하는 GPT와 다르게 양방향이고, GPT는 가려진 단어를 예측하는 BERT와 다르게 단방향이다.",
            "BERT는 다음 단어를 예측하는 모델이 아니고, GPT는 가려진 단어를 예측하는 모델이 아니다.",
            "BERT에는 다음 단어를 예측하는 학습이 없고, GPT에는 가려진 단어를 예측하는 학습이 없다.",
        ),
    ),
    (
        "배깅과 부스팅의 차이는?",
        "배깅은 여러 모델을 병렬로 학습하여 분산을 줄인다. 부스팅은 모델을 순차적으로 학습하여 편향을 줄인다.",
        (
            "배깅은 모델을 순차적으로 학습하지 않고, 부스팅은 여러 모델을 병렬로 학습하지 않는다.",
            (
                "배깅은 부스팅처럼 모델을 순차적으로 학습하여 편향을 줄이는 것이 아니라 병렬로 학습한다. 부스팅은 배깅처럼 병렬로 학습하여 분산을 줄이는 것이 "
                "아니라 순차적으로 한다."
            ),
            (
                "배깅은 병렬이고 부스팅은 순차이다. 배깅은 모델을 순차적으로 학습하여 편향을 줄이는 방법이 아니며, 부스팅은 여러 모델을 병렬로 학습하여 분산을 "
                "줄이는 방법이 아니다."
            ),
        ),
    ),
    (
        "코사인 유사도의 값은?",
        "두 벡터의 방향이 같으면 1, 수직이면 0, 반대이면 -1이다.",
        ("같으면 -1이 아니고 1이며, 반대이면 1이 아니고 -1이다.",),
    ),
    (
        "ROC 곡선의 축은?",
        "x축은 FPR, y축은 TPR이다.",
        ("x축은 TPR이 아니라 FPR이고, y축은 FPR이 아니라 TPR이다.",),
    ),
    (
        "What are bagging and boosting?",
        (
            "Bagging trains models in parallel on bootstrap samples and reduces variance. "
            "Boosting trains models sequentially on the errors of earlier ones and reduces "
            "bias."
        ),
        (
            (
                "Bagging never trains models sequentially on the errors of earlier ones. Boosting "
                "never trains models in parallel on bootstrap samples."
            ),
            (
                "A common misconception: bagging trains models sequentially on the errors of "
                "earlier ones, boosting trains models in parallel on bootstrap samples. In truth "
                "it is the opposite."
            ),
            (
                "Bagging, as opposed to boosting, trains models in parallel on bootstrap samples. "
                "Boosting, as opposed to bagging, trains models sequentially on errors."
            ),
            (
                "Boosting differs from bagging, which trains models in parallel on bootstrap "
                "samples and reduces variance. Bagging differs from boosting, which trains models "
                "sequentially on the errors of earlier ones and reduces bias."
            ),
            (
                "Boosting is an alternative to bagging, that trains models in parallel on "
                "bootstrap samples and reduces variance; bagging is an alternative to boosting, "
                "that trains models sequentially on the errors of earlier ones and reduces bias."
            ),
        ),
    ),
    (
        "Which axes has the chart?",
        "Draw latency on x, throughput on y.",
        (
            "Never draw throughput on x, latency on y.",
            "If you draw throughput on x, latency on y it is wrong.",
            "One might draw throughput on x, latency on y, but the right way is the reverse.",
        ),
    ),
    (
        "Mean vs median?",
        (
            "The mean is sensitive to outliers, the median is robust to outliers. The mean "
            "minimises squared error, the median absolute error."
        ),
        (
            ("The median cannot minimise squared error and the mean cannot minimise absolute error."),
            (
                "The median, unlike the mean, minimises absolute error; the mean, unlike the "
                "median, minimises squared error"
            ),
        ),
    ),
    (
        "Explain encoder and decoder in a transformer.",
        (
            "The encoder reads the whole input with bidirectional attention. The decoder "
            "generates output tokens with causal attention and cross attention to the "
            "encoder."
        ),
        (
            (
                "The decoder cannot read the whole input with bidirectional attention, and the "
                "encoder cannot generate output tokens with causal attention."
            ),
            (
                "The decoder never reads the whole input with bidirectional attention, the "
                "encoder never generates output tokens with causal attention."
            ),
        ),
    ),
    (
        "What happens when the decision threshold is changed?",
        "Lowering the threshold raises recall, but lowers precision.",
        (
            "Raising the threshold raises precision, but lowers recall.",
            "A higher threshold raises precision, lowers recall.",
            "If you increase the threshold it raises precision and lowers recall.",
        ),
    ),
    (
        "임계값을 바꾸면 어떻게 되는가?",
        "임계값을 낮추면 재현율은 올라가고 정밀도는 내려간다.",
        (
            "임계값을 높이면 정밀도는 올라가고 재현율은 내려간다.",
            "임계값을 높이면 정밀도가 올라가고, 재현율이 내려간다.",
        ),
    ),
    (
        "임계값을 낮추면 어떻게 되는가?",
        "재현율이 높아지고, 정밀도가 낮아진다.",
        ("임계값을 높이면 정밀도가 높아지고, 재현율이 낮아진다. 낮추면 반대이다.",),
    ),
    (
        "Explain the bias-variance tradeoff.",
        "A simple model has high bias and low variance.",
        (
            "A complex model has low bias and high variance.",
            "Complex models: low bias, high variance; simple models the opposite.",
        ),
    ),
    (
        "Explain the effect of k in kNN.",
        "A larger k lowers variance and raises bias.",
        ("A smaller k raises variance and lowers bias.",),
    ),
    (
        "편향-분산 트레이드오프란?",
        "모델이 단순하면 편향이 높고 분산이 낮다.",
        ("모델이 복잡하면 분산이 높고 편향이 낮다.",),
    ),
    (
        "편향-분산 트레이드오프란?",
        "모델이 단순하면 편향이 크고 분산이 작다.",
        ("모델이 복잡하면 분산이 크고 편향이 작다.",),
    ),
    (
        "How does temperature change sampling?",
        "A high temperature increases diversity and decreases accuracy.",
        ("A low temperature increases accuracy and decreases diversity.",),
    ),
    (
        "정규화 강도를 키우면?",
        "정규화를 강하게 하면 편향은 증가하고 분산은 감소한다.",
        (
            "정규화를 약하게 하면 분산은 증가하고 편향은 감소한다.",
            "정규화를 약하게 하면 분산이 증가하고, 편향이 감소한다.",
        ),
    ),
    (
        "우도와 확률의 차이는?",
        "확률은 분포가 주어졌을 때 관측값이 나올 가능성이고, 우도는 관측값이 주어졌을 때 그 분포가 맞을 가능성이다.",
        ("확률은 관측값이 아니라 분포가 주어진 것이고, 우도는 분포가 아니라 관측값이 주어진 것이다.",),
    ),
    (
        "What is the difference between online and batch learning?",
        (
            "Batch learning trains once on the complete stored data set and must be retrained "
            "for new data. Online learning updates the model with each new example as it "
            "arrives."
        ),
        (
            (
                "Online learning, in contrast to batch learning, updates the model with each new "
                "example as it arrives. Batch learning, in contrast to online learning, trains "
                "once on the complete stored data set."
            ),
            (
                "Batch learning would never update the model with each new example as it arrives; "
                "online learning never trains once on the complete stored data set."
            ),
            (
                "Batch, contrary to online learning, trains once on the complete stored data set; "
                "online, contrary to batch learning, updates the model with each new example."
            ),
            (
                "Online: batch learning is impossible when the data is too large, so the model is "
                "updated with each new example as it arrives. Batch: online updates with each new "
                "example aren't needed, trains once on the complete stored data set."
            ),
        ),
    ),
    (
        "Compare generative and discriminative models.",
        (
            "A generative model learns the joint distribution and can create new samples. A "
            "discriminative model learns the boundary between classes directly."
        ),
        (
            (
                "Discriminative models lack the joint distribution and are unable to create new "
                "samples; generative models only indirectly learn the boundary between classes."
            ),
            (
                "A discriminative model is unable to learn the joint distribution and create new "
                "samples; a generative model is unable to learn the boundary between classes "
                "directly."
            ),
            (
                "It is false that a discriminative model learns the joint distribution and can "
                "create new samples. It is false that a generative model learns the boundary "
                "between classes directly."
            ),
        ),
    ),
    (
        "What is the effect of lambda?",
        "A high lambda means high bias, low variance.",
        (
            "A low lambda means low bias, high variance.",
            "Low lambda: high variance, low bias.",
            "small lambda → low bias, high variance; large lambda → the opposite",
        ),
    ),
    (
        "What is the trade-off between exploration and exploitation (epsilon)?",
        "A large epsilon means more exploration and less exploitation.",
        ("A small epsilon means more exploitation and less exploration.",),
    ),
    (
        "엡실론이 크면?",
        "엡실론이 크면 탐험이 늘고 활용이 줄어든다.",
        ("엡실론이 작으면 활용이 늘고 탐험이 줄어든다.",),
    ),
    (
        "온도가 높으면?",
        "온도가 높으면 다양성이 증가하고 정확성이 감소한다.",
        ("온도가 낮으면 정확성이 증가하고 다양성이 감소한다.",),
    ),
    (
        "What does GAN training do?",
        "The generator minimises the loss, the discriminator maximises it.",
        (("The discriminator minimises its own loss -V, the generator maximises the error of the discriminator."),),
    ),
    (
        "Positive and negative pairs in contrastive learning?",
        "Positive pairs are pulled together, negative pairs are pushed apart.",
        (("Negative pairs must never be pulled together, positive pairs must never be pushed apart."),),
    ),
    (
        "x축과 y축은?",
        "x축은 에포크, y축은 손실이다.",
        (
            "x축에 손실이 아니라 에포크를, y축에 에포크가 아니라 손실을 그린다.",
            "x축은 손실이 아닌 에포크, y축은 에포크가 아닌 손실이다.",
        ),
    ),
    (
        "행과 열은?",
        "행은 실제 클래스, 열은 예측 클래스이다.",
        (
            "열은 실제가 아닌 예측 클래스, 행은 예측이 아닌 실제 클래스이다.",
            "행은 예측 클래스가 아니라 실제 클래스이고 열은 실제 클래스가 아니라 예측 클래스이다.",
        ),
    ),
    (
        "How do precision and recall differ?",
        (
            "Precision is the share of predicted positives that are correct. Recall is the "
            "share of actual positives that are found."
        ),
        (
            (
                "Precision, by contrast with recall, is the share of predicted positives that are "
                "correct; recall, by contrast with precision, is the share of actual positives "
                "that are found."
            ),
            (
                "Precision, compared to recall, is the share of predicted positives that are "
                "correct. Recall, compared to precision, is the share of actual positives that "
                "are found."
            ),
        ),
    ),
    (
        "What is the difference between data parallelism and model parallelism?",
        (
            "In data parallelism each device holds a full copy of the model and works on a "
            "different part of the batch. In model parallelism the model itself is split over "
            "the devices."
        ),
        (
            (
                "In data parallelism the model itself is never split over the devices. In model "
                "parallelism each device never holds a full copy of the model."
            ),
        ),
    ),
    (
        "Compare stemming and lemmatisation",
        (
            "Stemming cuts off endings by simple rules and is fast. Lemmatisation uses a "
            "dictionary and returns the dictionary form."
        ),
        (
            (
                "Stemming is faster than lemmatisation, which uses a dictionary and returns the "
                "dictionary form. Lemmatisation is slower than stemming, which cuts off endings "
                "by simple rules."
            ),
            (
                "Lemmatisation, other than stemming, uses a dictionary and returns the dictionary "
                "form. Stemming, other than lemmatisation, cuts off endings by simple rules and "
                "is fast."
            ),
        ),
    ),
    (
        "precision과 recall의 차이?",
        "Precision은 예측 양성 중 실제 양성의 비율, Recall은 실제 양성 중 예측 양성의 비율이다.",
        (
            "Precision은 실제 양성이 예측 양성에서 차지하는 비율이고 Recall은 예측 양성이 실제 양성에서 차지하는 비율이다.",
            "Precision은 실제 양성 / 예측 양성, Recall은 예측 양성 / 실제 양성 (단, 분자는 둘 다 TP)",
        ),
    ),
    (
        "Ridge and lasso?",
        ("Ridge adds the squared weights to the loss. Lasso adds the absolute weights and makes some exactly zero."),
        (
            (
                "Lasso, in contrast to ridge, adds the absolute weights and makes some exactly "
                "zero. Ridge, in contrast to lasso, adds the squared weights to the loss."
            ),
        ),
    ),
    (
        "릿지와 라쏘의 차이는?",
        "릿지는 가중치의 제곱을 손실에 더한다. 라쏘는 가중치의 절댓값을 손실에 더하여 일부를 0으로 만든다.",
        (
            "릿지는 라쏘처럼 가중치의 절댓값을 더하여 일부를 0으로 만들지 않는다. 라쏘는 릿지처럼 가중치의 제곱을 더하지 않는다.",
            "릿지는 일부를 0으로 만들지 않는다. 라쏘는 가중치의 제곱을 더하지 않는다.",
        ),
    ),
    (
        "Symptoms of vanishing and exploding gradients?",
        ("With vanishing gradients early layers hardly learn. With exploding gradients the loss becomes NaN."),
        (
            (
                "Exploding gradients, as opposed to vanishing gradients, make the loss NaN. "
                "Vanishing gradients, as opposed to exploding gradients, let early layers hardly "
                "learn."
            ),
        ),
    ),
    (
        "What does padding/stride do to size?",
        "More padding increases the output size, more stride decreases it.",
        ("Less padding decreases the output size, less stride increases it.",),
    ),
    (
        "Effect of dropout rate?",
        "A higher rate increases bias, decreases variance.",
        ("A lower rate increases variance, decreases bias.",),
    ),
    (
        "분류 임계값의 영향은?",
        "임계값이 높으면 정밀도가 높고 재현율이 낮다. 임계값이 낮으면 정밀도가 낮고 재현율이 높다.",
        ("임계값이 낮으면 재현율이 높고 정밀도가 낮다.",),
    ),
)
